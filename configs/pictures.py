"""The one way from the bytes of a picture to its pixels, for every package. Needs Pillow and NumPy only.

    bytes ──probe──> Header                 limits, container and size: no pixel is decoded
          ──decode─> uint8 (H, W, 3) RGB    first frame, 16 bits scaled, ICC to sRGB, alpha on white,
                                            turned upright

What the bytes mean is read in ``configs/decoding/``, a file for each container. Whatever is wrong with them comes out
as ``DecodeError``. A crash of the C libraries underneath is the affair of whoever calls
(``pipeline/sandbox/guard.py``). Import it by name: ``configs`` itself does not.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image

from configs.decoding.colors import to_rgb
from configs.decoding.jpeg import open_jpeg
from configs.decoding.opened import DecodeError, Opened
from configs.decoding.optional import open_optional
from configs.decoding.others import open_other
from configs.decoding.png import open_png
from configs.decoding.png_chunks import SIGNATURE
from configs.decoding.tiff import open_tiff
from configs.decoding.tiff_tags import BEGINNINGS
from configs.decoding.webp import open_webp
from configs.errors import one_line

__all__ = ["PILLOW_CEILING", "DecodeError", "Header", "Limits", "decode", "probe", "small", "to_rgb"]

warnings.filterwarnings("ignore", module=r"PIL\.")  # they are about odd metadata, which no reader could mend

PILLOW_CEILING = 178_956_970
"""Pixels above which Pillow itself refuses a picture (twice ``Image.MAX_IMAGE_PIXELS``); its global stays as it is."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what turns the stored picture upright."""


@dataclass(frozen=True)
class Limits:
    """What an input may cost: ``max_bytes`` of the file, ``max_pixels`` of the decoded picture (3 bytes each),
    ``max_edge`` in px: some libraries downstream fail beyond 65,535. Raises ValueError for what cannot be held."""

    max_bytes: int = 100_000_000  # chosen
    max_pixels: int = PILLOW_CEILING
    max_edge: int = 65_535

    def __post_init__(self) -> None:
        if self.max_bytes < 1 or self.max_edge < 1:
            raise ValueError("max_bytes and max_edge must be positive")
        if not 1 <= self.max_pixels <= PILLOW_CEILING:
            raise ValueError(f"max_pixels: from 1 to {PILLOW_CEILING} (Pillow's own ceiling), found {self.max_pixels}")


@dataclass(frozen=True)
class Header:
    """``width`` and ``height`` in px after orientation; ``orientation`` 1..8 as found in EXIF, 1 where there is none
    or a broken one; ``format``: Pillow's name of the container."""

    width: int
    height: int
    orientation: int
    format: str


def probe(data: bytes, limits: Limits) -> Header:
    """Read the header alone and hold it against ``limits``. Raises DecodeError."""
    return _header(_open(data, limits))


def decode(data: bytes, limits: Limits) -> np.ndarray:
    """The picture as uint8 (H, W, 3) sRGB, upright, of the size that ``probe`` gives.

    The first frame of an animation; transparency over white; 16-bit and float samples scaled to
    8 bits, never clipped. A file that ends early is an error, never a picture with a gray rest.
    Raises DecodeError.
    """
    opened = _open(data, limits)
    header = _header(opened)
    try:
        rgb = opened.rgb()
        pixels = np.array(rgb.transpose(_UPRIGHT[header.orientation]) if header.orientation != 1 else rgb)
    except DecodeError:
        raise
    except Exception as error:  # hostile bytes reach every corner of every plugin: all of it is this one error
        raise DecodeError(_reason(error)) from error
    if pixels.shape != (header.height, header.width, 3):
        found = f"{pixels.shape[1]} x {pixels.shape[0]}"
        raise DecodeError(f"the header says {header.width} x {header.height}, the picture is {found}")
    return pixels


def small(pixels: np.ndarray, edge: int) -> np.ndarray:
    """uint8 (H, W, 3) -> uint8 (edge, edge, 3): the whole picture squeezed into a square, antialiased bilinear."""
    resized = Image.fromarray(pixels).resize((edge, edge), Image.Resampling.BILINEAR)
    return np.array(resized)


def _open(data: bytes, limits: Limits) -> Opened:
    if not data:
        raise DecodeError("empty: no bytes at all")
    if len(data) > limits.max_bytes:
        raise DecodeError(f"{len(data)} bytes, allowed are {limits.max_bytes}")
    try:
        opened = _reader(data)
    except DecodeError:
        raise
    except Image.DecompressionBombError:
        raise DecodeError(f"more than {limits.max_pixels} pixels") from None
    except Exception as error:  # as in decode
        raise DecodeError(_reason(error)) from error
    width, height = opened.width, opened.height
    if width < 1 or height < 1:
        raise DecodeError(f"the header says {width} x {height}")
    if width * height > limits.max_pixels:
        raise DecodeError(f"{width} x {height} is more than {limits.max_pixels} pixels")
    if max(width, height) > limits.max_edge:
        raise DecodeError(f"{width} x {height}: an edge above {limits.max_edge} px")
    return opened


def _reader(data: bytes) -> Opened:
    if data.startswith(b"\xff\xd8"):
        return open_jpeg(data)
    if data.startswith(SIGNATURE):
        return open_png(data)
    if data.startswith(BEGINNINGS):
        return open_tiff(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return open_webp(data)
    return open_optional(data) or open_other(data)


def _header(opened: Opened) -> Header:
    width, height = opened.width, opened.height
    if opened.orientation >= 5:
        width, height = height, width
    return Header(width, height, opened.orientation, opened.format)


def _reason(error: BaseException) -> str:
    """One short line; the type stands in front where the message alone says nothing."""
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, Image.UnidentifiedImageError):  # Pillow's message names an address in memory
        return "broken: its header cannot be read"
    text = one_line(error)[:200]
    return text if isinstance(error, OSError) and text else f"{type(error).__name__}: {text}"
