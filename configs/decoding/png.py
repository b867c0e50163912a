"""PNG: depth, transparent color and profile as its chunks say.

Pillow unpacks 16-bit colors to their upper bytes alone. The lower ones are had by a second pass over the same data,
told that bytes come in the other order: what it takes for the upper byte is then the lower one.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from configs.decoding.colors import eight_bits, on_white, to_rgb
from configs.decoding.exif import orientation_of
from configs.decoding.icc import to_srgb
from configs.decoding.opened import DecodeError, Opened
from configs.decoding.png_chunks import Chunks, read_chunks, rows_end, stripped

_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
"""Color types."""


def open_png(data: bytes) -> Opened:
    """A PNG; of an animated one, the picture that every reader shows. Raises DecodeError."""
    chunks = read_chunks(data)
    return Opened("PNG", chunks.width, chunks.height, orientation_of(chunks.exif), lambda: _rgb(data, chunks))


def _rgb(data: bytes, chunks: Chunks) -> Image.Image:
    clean = stripped(data, chunks)
    if chunks.depth == 8 and chunks.color != _PALETTE and chunks.transparency is None:
        image = _loaded(clean, None)
        last = np.asarray(image.crop((0, image.height - 1, image.width, image.height)))
        _check_rows(data, chunks, last)
        image.info = {"icc_profile": chunks.profile}
        return to_rgb(image)
    samples = _samples(clean, chunks)
    _check_rows(data, chunks, samples[-1])
    if chunks.color == _PALETTE:
        colors, alpha = _looked_up(samples, chunks)
    else:
        colors, alpha = _split(samples, chunks)
    return on_white(to_srgb(Image.fromarray(colors), chunks.profile), None if alpha is None else Image.fromarray(alpha))


def _check_rows(data: bytes, chunks: Chunks, last: np.ndarray) -> None:
    """Pillow leaves rows without data 0: where the last one is, the bytes of all rows are counted."""
    if (chunks.interlaced or not last.any()) and not rows_end(data, chunks):
        raise DecodeError("truncated: the data end before the last row")


def _samples(clean: bytes, chunks: Chunks) -> np.ndarray:
    """(H, W) or (H, W, channels): the numbers in the file, uint8 up to 8 bits and uint16 above."""
    if chunks.depth < 16:
        values = np.asarray(_loaded(clean, None))
        if chunks.color == _GRAY and chunks.depth in (2, 4):  # Pillow spreads these over 0..255
            return values // np.uint8(255 // ((1 << chunks.depth) - 1))
        return values.astype(np.uint8) if chunks.depth == 1 else values
    if chunks.color == _GRAY:
        return np.asarray(_loaded(clean, None)).astype(np.uint16)
    if chunks.color == _GRAY_ALPHA:  # four bytes a pixel, as they are
        return np.asarray(_loaded(clean, "RGBA")).view(">u2").astype(np.uint16)
    mode = "RGB" if chunks.color == _RGB else "RGBA"
    upper = np.asarray(_loaded(clean, f"{mode};16B")).astype(np.uint16)
    return upper << 8 | np.asarray(_loaded(clean, f"{mode};16L"))


def _loaded(clean: bytes, raw: str | None) -> Image.Image:
    """All pixels, unpacked as ``raw`` (None: as Pillow would)."""
    image = Image.open(io.BytesIO(clean), formats=("PNG",))
    if raw:
        image.tile = [tile._replace(args=raw) for tile in image.tile]
    try:
        image.load()
    except OSError as error:
        if "truncated" in str(error):
            raise DecodeError("truncated: the data end before the last row") from None
        raise
    return image


def _split(samples: np.ndarray, chunks: Chunks) -> tuple[np.ndarray, np.ndarray | None]:
    """Gray or RGB and alpha, all as uint8."""
    channels = {_GRAY_ALPHA: 1, _RGB_ALPHA: 3}.get(chunks.color)
    if channels is not None:
        values = eight_bits(samples)
        return values[..., 0] if channels == 1 else np.ascontiguousarray(values[..., :3]), values[..., -1].copy()
    wanted = 1 if chunks.color == _GRAY else 3
    given = chunks.transparency or b""
    key = np.frombuffer(given[: len(given) // 2 * 2], dtype=">u2")
    alpha = None
    if len(key) >= wanted:  # of the two bytes that a value takes in tRNS, only the bits of a sample count
        same = samples.reshape(*samples.shape[:2], wanted) == key[:wanted] & (1 << chunks.depth) - 1
        alpha = np.where(same.all(axis=-1), 0, 255).astype(np.uint8)
    return eight_bits(samples, chunks.depth), alpha


def _looked_up(indices: np.ndarray, chunks: Chunks) -> tuple[np.ndarray, np.ndarray | None]:
    """Palette colors as RGB; an index behind the end of the palette is black, as libpng has it."""
    table = np.zeros((256, 3), dtype=np.uint8)
    entries = np.frombuffer(chunks.palette[: len(chunks.palette) // 3 * 3], dtype=np.uint8).reshape(-1, 3)
    table[: len(entries)] = entries
    if chunks.transparency is None:
        return table[indices], None
    alphas = np.full(256, 255, dtype=np.uint8)
    given = np.frombuffer(chunks.transparency[:256], dtype=np.uint8)
    alphas[: len(given)] = given
    return table[indices], alphas[indices]
