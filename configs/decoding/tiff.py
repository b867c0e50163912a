"""TIFF: what its samples mean, by its tags alone.

samples ──> colors ──eight bits, polarity, color model──> gray, RGB or CMYK ──profile──> sRGB ──alpha──> on white
        └─> alpha (ExtraSamples: 1 premultiplied, 2 not; 0 is no alpha)
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from PIL import Image

from configs.decoding import tiff_tags as tag
from configs.decoding.colors import Range, eight_bits, on_white
from configs.decoding.icc import to_srgb
from configs.decoding.lab import lab_to_srgb
from configs.decoding.opened import DecodeError, Opened
from configs.decoding.tiff_samples import Form, read_form, read_samples
from configs.decoding.tiff_tags import Page, read_page

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _CIE_LAB, _ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
_COLORS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _CIE_LAB: 3, _ICC_LAB: 3}
"""Photometric interpretation -> samples that are colors."""
_UNREAD = {4: "a transparency mask", 10: "ITU Lab", 32803: "a camera's color filter array", 32844: "LogL",
           32845: "LogLuv", 34892: "linear raw"}  # fmt: skip
_PREMULTIPLIED, _PLAIN, _COREL = 1, 2, 999
_JPEG = 7
_BAND = 1 << 22
"""Samples that are turned into floats at a time."""


def open_tiff(data: bytes) -> Opened:
    """The first page of a TIFF. Raises DecodeError, also for a kind of samples that is not read."""
    page = read_page(data)
    form = read_form(page)
    _check(page, form)
    turned = page.one(tag.ORIENTATION, 1)
    orientation = turned if 1 <= turned <= 8 else 1
    return Opened("TIFF", form.width, form.height, orientation, lambda: _rgb(data, page, form))


def _check(page: Page, form: Form) -> None:
    if form.photometric not in _COLORS:
        raise DecodeError(f"a TIFF of {_UNREAD.get(form.photometric, form.photometric)}, which is not read")
    colors, extra = _COLORS[form.photometric], len(page.all(tag.EXTRA_SAMPLES))
    if form.samples < colors or (form.samples - colors > max(extra, 1)):
        raise DecodeError(f"a TIFF with {form.samples} samples a pixel where its colors take {colors}")
    if form.photometric == _CMYK and page.one(tag.INK_SET, 1) != 1:
        raise DecodeError("a TIFF of other inks than CMYK")
    if form.photometric in (_PALETTE, _YCBCR, _CIE_LAB, _ICC_LAB):
        bits = range(1, 17) if form.photometric == _PALETTE else (8,) if form.photometric == _YCBCR else (8, 16)
        signed = form.kind == "i" and form.photometric == _CIE_LAB  # its a and b are, whatever the tag says
        if form.bits not in bits or not (form.kind == "u" or signed):
            name = {_PALETTE: "palette colors", _YCBCR: "YCbCr"}.get(form.photometric, "Lab")
            raise DecodeError(f"a TIFF of {name} with {form.bits}-bit samples of kind {form.kind}, which is not read")


def _rgb(data: bytes, page: Page, form: Form) -> Image.Image:
    samples = read_samples(data, page, form)
    count = _COLORS[form.photometric]
    place, premultiplied = _alpha_place(page, form)
    share = (0.0, 1.0) if form.kind == "f" else None  # alpha is one, whatever range the colors have
    alpha = None if place is None else eight_bits(samples[..., place], form.bits, share)
    colors = _model(page, form)(samples[..., :count])
    if form.photometric == _WHITE_IS_ZERO:
        colors = 255 - colors
    if alpha is not None and premultiplied:
        colors = _straight(colors, alpha)
    if colors.shape[2] == 1:
        colors = colors[..., 0]
    image = Image.fromarray(np.ascontiguousarray(colors), mode="CMYK") if form.photometric == _CMYK else None
    image = image or Image.fromarray(np.ascontiguousarray(colors))
    profile = None if form.photometric in (_CIE_LAB, _ICC_LAB) else page.raw(tag.PROFILE)
    return on_white(to_srgb(image, profile), None if alpha is None else Image.fromarray(np.ascontiguousarray(alpha)))


def _alpha_place(page: Page, form: Form) -> tuple[int | None, bool]:
    """Which sample is alpha, and whether colors are premultiplied by it. One that no tag explains is plain alpha."""
    first = _COLORS[form.photometric]
    extra = page.all(tag.EXTRA_SAMPLES) or (_PLAIN,)
    for place, meaning in enumerate(extra[: form.samples - first]):
        if meaning in (_PREMULTIPLIED, _PLAIN, _COREL):
            return first + place, meaning == _PREMULTIPLIED
    return None, False


def _limits(page: Page, form: Form) -> Range | None:
    """Black and white as the tags give them; for unsigned samples writers put statistics there."""
    low, high = page.all(tag.SAMPLE_MIN), page.all(tag.SAMPLE_MAX)
    if form.kind != "u" and low and high and min(low) < max(high):
        return float(min(low)), float(max(high))
    return None


def _model(page: Page, form: Form) -> Callable[[np.ndarray], np.ndarray]:
    """Samples of the colors -> uint8 of gray (WhiteIsZero not yet turned), RGB or CMYK, in the last axis."""
    if form.photometric == _PALETTE:
        return functools.partial(_looked_up, _palette(page, form))
    if form.photometric == _YCBCR and form.compression != _JPEG:
        coefficients = page.all(tag.YCBCR_COEFFICIENTS) or (0.299, 0.587, 0.114)
        reference = page.all(tag.REFERENCE_BLACK_WHITE) or (0, 255, 128, 255, 128, 255)
        return functools.partial(_in_bands, lambda band: _ycbcr_to_rgb(band, coefficients, reference))
    if form.photometric in (_CIE_LAB, _ICC_LAB):
        return functools.partial(_in_bands, lambda band: lab_to_srgb(_lab(band, form)))
    return lambda values: eight_bits(values, form.bits, _limits(page, form))


def _looked_up(table: np.ndarray, indices: np.ndarray) -> np.ndarray:
    return table[indices[..., 0]]


def _palette(page: Page, form: Form) -> np.ndarray:
    """(entries, 3) uint8. Old writers put 8 bits where 16 are asked for, which libtiff knows by their size too."""
    values = np.array(page.all(tag.COLOR_MAP), dtype=np.uint16)
    if values.size != 3 << form.bits:
        raise DecodeError(f"a TIFF of {form.bits}-bit palette colors whose palette has {values.size} numbers")
    entries = values.reshape(3, -1).T
    return entries.astype(np.uint8) if entries.max() < 256 else eight_bits(np.ascontiguousarray(entries))


def _in_bands(convert: Callable[[np.ndarray], np.ndarray], values: np.ndarray) -> np.ndarray:
    """``convert`` on some rows at a time: it works in floats, which take four times the memory."""
    step = max(1, _BAND // max(1, values.shape[1] * values.shape[2]))
    return np.concatenate([convert(values[top : top + step]) for top in range(0, len(values), step)])


def _ycbcr_to_rgb(values: np.ndarray, coefficients: tuple[float, ...], reference: tuple[float, ...]) -> np.ndarray:
    """TIFF 6.0, section 21."""
    red, green, blue = coefficients[:3]
    low, high = np.array(reference, dtype=np.float32).reshape(3, 2).T
    full = np.array((255, 127, 127), dtype=np.float32)
    y, cb, cr = np.moveaxis((values - low) * full / np.maximum(high - low, 1), -1, 0)
    r = y + cr * (2 - 2 * red)
    b = y + cb * (2 - 2 * blue)
    g = (y - blue * b - red * r) / green
    return np.rint(np.stack([r, g, b], axis=-1)).clip(0, 255).astype(np.uint8)


def _lab(values: np.ndarray, form: Form) -> np.ndarray:
    """Floats: L 0..100, a and b about -128..127. CIE Lab has signed a and b, ICC Lab an offset of half the range."""
    step = 1 << (form.bits - 8)
    unsigned = values.view(f"u{form.bits // 8}") if values.dtype.kind == "i" else values
    lightness = unsigned[..., :1] / np.float32((1 << form.bits) - 1) * 100
    if form.photometric == _CIE_LAB:
        chroma = np.ascontiguousarray(unsigned[..., 1:]).view(f"i{form.bits // 8}") / np.float32(step)
    else:
        lightness = lightness * np.float32(1 if form.bits == 8 else 65535 / 65280)
        chroma = unsigned[..., 1:] / np.float32(step) - 128
    return np.concatenate([lightness, chroma], axis=-1, dtype=np.float32)


def _straight(colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colors without the alpha that was multiplied into them, so that a profile may be applied to them."""
    divided = _in_bands(lambda band: band[..., :-1] * np.float32(255) / np.maximum(band[..., -1:], 1),
                        np.concatenate([colors, alpha[..., None]], axis=-1))  # fmt: skip
    return np.rint(divided).clip(0, 255).astype(np.uint8)
