"""The one way from the bytes of a picture to its pixels, for every package. Needs Pillow and NumPy only.

    bytes ──probe──> Header                 limits, container and size: no pixel is decoded
          ──decode─> uint8 (H, W, 3) RGB    first frame, 16 bits scaled, ICC to sRGB, alpha on white,
                                            turned upright

Whatever is wrong with the bytes comes out as ``DecodeError``. A crash of the C libraries underneath
is the affair of whoever calls (``pipeline/sandbox/guard.py``). Import it by name: ``configs`` itself does not.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from configs.truncation import is_truncated, png_chunks

warnings.filterwarnings("ignore", module=r"PIL\.")  # they are about odd metadata, which no reader could mend

PILLOW_CEILING = 178_956_970
"""Pixels above which Pillow itself refuses a picture (twice ``Image.MAX_IMAGE_PIXELS``); its global stays as it is."""

_ORIENTATION_TAG = 0x0112

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""Containers that are opened; JPEG includes MPO. Left out on purpose: EPS, which runs Ghostscript, and icons, which
hold several sizes."""

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


class DecodeError(ValueError):
    """The bytes are not a picture that can be had within the limits; the message is one short reason."""


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
    return _open(data, limits)[1]


def decode(data: bytes, limits: Limits) -> np.ndarray:
    """The picture as uint8 (H, W, 3) sRGB, upright, of the size that ``probe`` gives.

    The first frame of an animation; transparency over white; 16-bit and float samples scaled to
    8 bits, never clipped. A file that ends early is an error, never a picture with a gray rest.
    Raises DecodeError.
    """
    image, header = _open(data, limits)
    try:
        image.load()
        if is_truncated(data, image):
            raise DecodeError("the data end before the last row")
        rgb = to_rgb(image)
        if header.format != "TIFF":  # Pillow turns TIFFs by itself when it loads them
            rgb = rgb.transpose(_UPRIGHT[header.orientation]) if header.orientation != 1 else rgb
        pixels = np.array(rgb)
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


def _open(data: bytes, limits: Limits) -> tuple[Image.Image, Header]:
    if not data:
        raise DecodeError("empty: no bytes at all")
    if len(data) > limits.max_bytes:
        raise DecodeError(f"{len(data)} bytes, allowed are {limits.max_bytes}")
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise DecodeError(f"more than {limits.max_pixels} pixels") from None
    except Image.UnidentifiedImageError:
        raise DecodeError(f"no picture that Pillow can read ({_beginning(data)})") from None
    except Exception as error:  # as in decode
        raise DecodeError(_reason(error)) from error
    width, height = image.size
    if width < 1 or height < 1:
        raise DecodeError(f"the header says {width} x {height}")
    if width * height > limits.max_pixels:
        raise DecodeError(f"{width} x {height} is more than {limits.max_pixels} pixels")
    if max(width, height) > limits.max_edge:
        raise DecodeError(f"{width} x {height}: an edge above {limits.max_edge} px")
    form = image.format or "unknown"
    orientation = _orientation(image, data)
    if orientation >= 5 and form != "TIFF":
        width, height = height, width
    return image, Header(width, height, orientation, form)


def _orientation(image: Image.Image, data: bytes) -> int:
    try:
        if image.format == "PNG" and "exif" not in image.info and (chunk := _png_exif(data)):
            image.info["exif"] = chunk
        # Not image.getexif(): for a PNG it would decode all pixels to look behind them.
        value = Image.Image.getexif(image).get(_ORIENTATION_TAG, 1)
    except Exception:  # broken EXIF is common in the wild and costs the orientation, not the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _png_exif(data: bytes) -> bytes | None:
    """The eXIf chunk of a PNG wherever it stands: some tools write it behind the pixels."""
    return next((b"Exif\0\0" + body for body in png_chunks(data, b"eXIf")), None)


def to_rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode of Pillow as 8-bit sRGB, transparency over white, not turned.

    An embedded ICC profile is applied if it works. 16-bit and float samples are scaled to 8 bits.
    """
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_gray(image)
    if image.mode in ("LA", "PA", "La", "RGBa", "RGBA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        colors = _to_srgb(rgba.convert("RGB"), image.info.get("icc_profile"))
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(colors, mask=rgba.getchannel("A"))
        return white
    if image.mode in ("1", "P"):
        image, profile = image.convert("RGB"), image.info.get("icc_profile")
        return _to_srgb(image, profile)
    return _to_srgb(image, image.info.get("icc_profile"))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert through an ICC profile; one that is broken or of another color space is ignored."""
    if not profile and image.mode != "LAB":
        return image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
        if "sRGB" in ImageCms.getProfileDescription(source) and image.mode == "RGB":
            return image  # a round trip would only shift values by rounding
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image.convert("RGB")
    assert converted is not None  # None only with inPlace
    return converted


def _to_gray(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float samples to 8 bits.

    16 bits: v * 255 / 65535, rounded. Floats in 0..1: times 255. What lies outside of these ranges
    (32-bit, other floats) has no defined white and is stretched from its minimum to its maximum.
    """
    values = np.asarray(image)
    key = image.info.get("transparency")
    integers = np.issubdtype(values.dtype, np.integer)
    if integers and values.min() >= 0 and values.max() <= 65535:
        gray = np.rint(np.arange(65536) / 257).astype(np.uint8)[values]  # a table: floats would take 8 bytes a pixel
    else:
        gray = _stretched(np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0), integers)
    if isinstance(key, int):  # the one gray value that a PNG declares transparent
        gray[values == key] = 255
    result = Image.fromarray(gray)
    if "icc_profile" in image.info:
        result.info["icc_profile"] = image.info["icc_profile"]
    return result


def _stretched(values: np.ndarray, integers: bool) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not integers and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    values -= np.float32(low)
    values *= np.float32(255 / max(high - low, 1e-9))
    return np.rint(values, out=values).clip(0, 255, out=values).astype(np.uint8)


def _beginning(data: bytes) -> str:
    return f"it begins with {data[:8]!r}"


def _reason(error: BaseException) -> str:
    """One short line; the type stands in front where the message alone says nothing."""
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    text = " ".join(str(error).split())[:200]
    return text if isinstance(error, OSError) and text else f"{type(error).__name__}: {text}"
