"""A folder of everything that goes wrong in a folder of pictures, with what must become of each.

``build(folder)`` writes it and returns the expectation per file: ``Readable`` with the size after
orientation, or ``Broken``. Pillow and the standard library write it; nothing here is read back.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Readable:
    """A picture that must be measured: its size in px after orientation and its EXIF orientation."""

    width: int
    height: int
    orientation: int = 1


@dataclass(frozen=True)
class Broken:
    """An input that must end as one row in failures/."""


Expectation = Readable | Broken
NOT_UTF8 = b"caf\xe9.png"
"""A name in Latin-1, as old archives hold them."""


def build(folder: Path) -> dict[bytes, Expectation]:
    """Write the files under ``folder``; name (bytes, relative) -> what must become of it."""
    folder.mkdir(parents=True, exist_ok=True)
    expected: dict[bytes, Expectation] = {}

    def put(name: bytes, data: bytes, expectation: Expectation) -> None:
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(data)
        expected[name] = expectation

    photo = picture(320, 200, seed=1)
    put(b"good.jpg", encode(photo, "JPEG"), Readable(320, 200))
    put(b"truncated.jpg", encode(photo, "JPEG")[:4000], Broken())
    put(b"truncated-header.jpg", encode(photo, "JPEG")[:20], Broken())
    put(b"empty.jpg", b"", Broken())
    put(b"text.jpg", "this is no picture, 这不是图片\n".encode() * 50, Broken())
    put(b"bomb.png", png_bomb(30_000), Broken())
    put(b"cmyk.jpg", encode(picture(300, 260, seed=2).convert("CMYK"), "JPEG"), Readable(300, 260))
    put(b"sixteen-bit.png", encode(sixteen_bit(280, 300), "PNG"), Readable(280, 300))
    put(b"palette-transparent.png", palette_with_transparency(270, 290), Readable(270, 290))
    put(b"animated.gif", animation(264, 288, "GIF"), Readable(264, 288))
    put(b"animated.webp", animation(266, 286, "WEBP"), Readable(266, 286))
    for orientation in range(1, 9):
        turned = orientation >= 5
        size = (200, 320) if turned else (320, 200)
        data = with_orientation(picture(320, 200, seed=10 + orientation), orientation)
        put(b"orientation-%d.jpg" % orientation, data, Readable(*size, orientation))
    put(NOT_UTF8, encode(picture(256, 272, seed=3), "PNG"), Readable(256, 272))

    deep = folder / "deep"
    deep.mkdir()
    (deep / "loop").symlink_to(folder, target_is_directory=True)  # a walk that follows it never ends
    put(b"deep/inside.jpg", encode(picture(300, 300, seed=4), "JPEG"), Readable(300, 300))
    (folder / "dangling.jpg").symlink_to(folder / "nowhere.jpg")  # cannot be read, whoever asks, root included
    expected[b"dangling.jpg"] = Broken()
    return expected


def picture(width: int, height: int, seed: int) -> Image.Image:
    """A busy picture: smooth colors and noise, so that no two are near twins and none is flat."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    noisy = smooth + rng.integers(-12, 13, smooth.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def with_orientation(image: Image.Image, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(image, "JPEG", exif=exif)


def sixteen_bit(width: int, height: int) -> Image.Image:
    ramp = np.linspace(0, 65535, width * height).reshape(height, width).astype(np.uint16)
    return Image.fromarray(ramp)


def palette_with_transparency(width: int, height: int) -> bytes:
    return encode(picture(width, height, seed=5).quantize(32), "PNG", transparency=3)


def animation(width: int, height: int, form: str) -> bytes:
    frames = [picture(width, height, seed=20 + i) for i in range(3)]
    return encode(frames[0], form, save_all=True, append_images=frames[1:], duration=80)


def png_bomb(side: int) -> bytes:
    """A valid PNG of ``side`` x ``side`` RGB pixels in a few megabytes: 2.7 GB when decoded at 30,000.

    One compressed row, closed by a full flush, stands for all of them: writing it takes no time.
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    length = 1 + 3 * side
    row = compressor.compress(b"\0" * length) + compressor.flush(zlib.Z_FULL_FLUSH)
    checksum = (length * side % 65521) << 16 | 1  # Adler-32 of zeros
    return _png(side, side, b"\x78\xda" + row * side + compressor.flush() + struct.pack(">I", checksum))


def _png(width: int, height: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
