"""From samples of any kind to eight bits, and from there to sRGB on white.

Range of a sample that is read as black to white, where a file does not give another one (SMin/SMaxSampleValue):

    unsigned, b bits     0 .. 2^b - 1
    signed, b bits       -2^(b-1) .. 2^(b-1) - 1         TIFF 6.0: "the full range of the data type"
    32-bit integers      0 .. 65535 if all of them are: Pillow's mode I holds 16 bits in 32
    floats               0 .. 1 if all of them are, else from the smallest to the largest: no white is defined
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from configs.decoding.icc import to_srgb

Range = tuple[float, float]
_TO_EIGHT = np.rint(np.arange(65536) / 257).astype(np.uint8)


def on_white(colors: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """RGB over white. ``alpha``: mode L of the same size, not premultiplied into the colors."""
    if alpha is None:
        return colors
    white = Image.new("RGB", colors.size, (255, 255, 255))
    white.paste(colors, mask=alpha)
    return white


def eight_bits(values: np.ndarray, bits: int | None = None, limits: Range | None = None) -> np.ndarray:
    """Samples of any integer or float dtype -> uint8 of the same shape, rounded, never wrapped.

    ``bits``: used bits of unsigned samples narrower than their dtype. ``limits``: what black and white are.
    """
    bits = bits or 8 * values.dtype.itemsize
    if limits is None and values.dtype == np.uint8 and bits == 8:
        return values
    if limits is None and values.dtype.kind == "u" and bits <= 16:
        return _table(bits)[values]
    if values.dtype.kind == "f":
        values = np.nan_to_num(values.astype(np.float32, copy=False), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = limits or _range(values, bits)
    single = values.dtype.kind == "f" and values.dtype.itemsize <= 4  # 32-bit integers do not fit in
    scaled: np.ndarray = values.astype(np.float32 if single else np.float64)
    np.subtract(scaled, low, out=scaled)
    np.multiply(scaled, 255 / max(high - low, 1e-9), out=scaled)
    return np.rint(scaled, out=scaled).clip(0, 255, out=scaled).astype(np.uint8)


def _table(bits: int) -> np.ndarray:
    """Sample of ``bits`` -> 8 bits: a table takes a byte a sample, floats would take eight."""
    return _TO_EIGHT if bits == 16 else np.rint(np.arange(1 << bits) * 255 / ((1 << bits) - 1)).astype(np.uint8)


def _range(values: np.ndarray, bits: int) -> Range:
    if values.size == 0:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f":
        return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    if bits > 16 and low >= 0 and high <= 65535:
        return 0.0, 65535.0
    if values.dtype.kind == "u":
        return 0.0, float(2**bits - 1)
    return float(-(2 ** (bits - 1))), float(2 ** (bits - 1) - 1)


def to_rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode of Pillow as 8-bit sRGB, transparency over white, not turned.

    An embedded ICC profile is applied if it works. 16-bit and float samples are scaled to 8 bits.
    """
    profile, key = image.info.get("icc_profile"), image.info.get("transparency")
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        alpha = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)) if isinstance(key, int) else None
        return on_white(to_srgb(Image.fromarray(eight_bits(values)), profile), alpha)
    if image.mode in ("LA", "La"):
        image = image.convert("LA")
        return on_white(to_srgb(image.getchannel("L"), profile), image.getchannel("A"))
    if image.mode in ("PA", "RGBa", "RGBA") or key is not None:
        rgba = image.convert("RGBA")
        colors = image.convert("L") if image.mode in ("1", "L") else rgba.convert("RGB")
        return on_white(to_srgb(colors, profile), rgba.getchannel("A"))
    if image.mode in ("1", "P", "YCbCr", "HSV", "RGBX"):
        image = image.convert("RGB")
    return to_srgb(image, profile)
