"""HEIC and JPEG XL, where a wheel that reads them is installed: ``pillow-heif``, ``pillow-jxl-plugin``.

Both wheels turn the picture by what its own container says, after which EXIF has no say. The one for JPEG XL decodes
all pixels when it opens a file, so its size is read here, out of the first bits of its codestream (ISO/IEC 18181-1).
"""

from __future__ import annotations

import importlib.util
import io
import struct

from PIL import Image

from configs.decoding.colors import to_rgb
from configs.decoding.opened import DecodeError, Opened

_HEIC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"))
_CODESTREAM, _CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def open_optional(data: bytes) -> Opened | None:
    """None for other containers. Raises DecodeError, also where the wheel is not installed."""
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC and b"avif" not in data[8:64]:
        return _heic(data)
    if data.startswith((_CODESTREAM, _CONTAINER)):
        return _jpeg_xl(data)
    return None


def _heic(data: bytes) -> Opened:
    _require("pillow_heif", "HEIC", "pillow-heif")
    import pillow_heif

    pillow_heif.register_heif_opener()
    image = Image.open(io.BytesIO(data), formats=("HEIF",))
    return Opened("HEIF", *image.size, 1, lambda: _loaded(image))


def _jpeg_xl(data: bytes) -> Opened:
    _require("pillow_jxl", "JPEG XL", "pillow-jxl-plugin")
    import pillow_jxl  # noqa: F401 - it registers itself

    width, height = _size(_bits(data))
    return Opened("JXL", width, height, 1, lambda: _loaded_jpeg_xl(data))


def _loaded_jpeg_xl(data: bytes) -> Image.Image:
    try:
        return _loaded(Image.open(io.BytesIO(data), formats=("JXL",)))
    except RuntimeError:  # its message asks to build another libjxl
        raise DecodeError("a broken JPEG XL") from None


def _require(module: str, name: str, wheel: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise DecodeError(f"{name}: read only where the package {wheel} is installed")


def _loaded(image: Image.Image) -> Image.Image:
    image.load()
    return to_rgb(image)


class _Bits:
    """Numbers out of bytes, the lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self.left:
            raise DecodeError("truncated: a JPEG XL without its size")
        found = self.value & (1 << count) - 1
        self.value, self.left = self.value >> count, self.left - count
        return found


def _bits(data: bytes) -> _Bits:
    """The codestream behind its signature; in a container it stands in a jxlc box or in the first jxlp box."""
    start = 0
    while data.startswith(_CONTAINER) and data[start + 4 : start + 8] not in (b"jxlc", b"jxlp"):
        if start + 8 > len(data):
            raise DecodeError("truncated: a JPEG XL without its codestream")
        (length,) = struct.unpack_from(">I", data, start)
        start += max(length, 8) if length else len(data)
    if start or data.startswith(_CONTAINER):
        start += (
            8
            + (8 if data[start : start + 4] == b"\0\0\0\1" else 0)
            + (4 if data[start + 4 : start + 8] == b"jxlp" else 0)
        )
    if data[start : start + 2] != _CODESTREAM:
        raise DecodeError("a JPEG XL whose codestream does not begin where it should")
    return _Bits(data[start + 2 : start + 32])


def _size(bits: _Bits) -> tuple[int, int]:
    """Width and height, upright."""
    small = bits.take(1)
    height = _edge(bits, small)
    ratio = bits.take(3)
    across, down = _RATIOS[ratio - 1]
    width = height * across // down if ratio else _edge(bits, small)
    turned = not bits.take(1) and bits.take(1) and bits.take(3) >= 4  # not all default, extra fields, orientation
    return (height, width) if turned else (width, height)


def _edge(bits: _Bits, small: int) -> int:
    return 8 * (bits.take(5) + 1) if small else 1 + bits.take((9, 13, 18, 30)[bits.take(2)])
