"""The chunks of a PNG that its pixels need, and a PNG of these alone.

Of ancillary chunks tRNS, iCCP and eXIf count, each unless its checksum is wrong (libpng drops such a chunk and goes
on). All others, whatever is in them, cannot cost the picture. W3C PNG, third edition, defines them.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from configs.decoding.opened import DecodeError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_KEPT = (b"tRNS", b"iCCP", b"eXIf")
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Color type -> samples of a pixel."""

_MAX_PROFILE = 16 << 20  # chosen: the largest profiles in use have 2 MB
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column and row, step across and down."""


@dataclass(frozen=True)
class Chunks:
    """What pixels need. ``color``: the color type, 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGB and alpha. ``pixels``: places of the IDAT bodies."""

    header: bytes
    width: int
    height: int
    depth: int
    color: int
    interlaced: bool
    palette: bytes
    transparency: bytes | None
    profile: bytes | None
    exif: bytes | None
    pixels: tuple[tuple[int, int], ...]


def read_chunks(data: bytes) -> Chunks:
    """Walk over all chunks. Raises DecodeError where the header or a chunk that pixels need is broken."""
    found: dict[bytes, bytes] = {}
    pixels: list[tuple[int, int]] = []
    position = len(SIGNATURE)
    while position + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, min(position + 8 + length, len(data))
        if name == b"IDAT":
            pixels.append((start, end))
        elif name in (b"IHDR", b"PLTE"):
            if not _sound(data, position, length):
                raise DecodeError(f"the checksum of its {name.decode()} chunk is wrong")
            found.setdefault(name, data[start:end])
        elif name in _KEPT and _sound(data, position, length):
            found.setdefault(name, data[start:end])
        elif name == b"IEND":
            break
        elif not pixels and name not in _CRITICAL and name.isalpha() and name[:1].isupper():
            raise DecodeError(f"a PNG with the critical chunk {name.decode()}, which is not read")
        position = end + 4
    return _checked(found, tuple(pixels))


def checksums_hold(data: bytes) -> bool:
    """Whether all pixel data have the checksums of their chunks: with them, no byte of these was lost or changed."""
    position = len(SIGNATURE)
    while position + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        if name == b"IEND":
            return True
        if name == b"IDAT" and not _sound(data, position, length):
            return False
        position += length + 12
    return False


def stripped(data: bytes, chunks: Chunks) -> bytes:
    """The same pixels in a PNG without any other chunk."""
    parts = [SIGNATURE, _chunk(b"IHDR", chunks.header)]
    if chunks.palette:
        parts.append(_chunk(b"PLTE", chunks.palette))
    for start, end in chunks.pixels:
        # Pillow does not look at the checksum of IDAT: the one inside of its zlib stream covers all rows.
        parts += [struct.pack(">I", end - start), b"IDAT", data[start:end], b"\0\0\0\0"]
    return b"".join([*parts, _chunk(b"IEND", b"")])


def rows_end(data: bytes, chunks: Chunks) -> bool:
    """Whether the zlib stream holds as many bytes as all rows take. Inflates everything once more."""
    inflate, length = zlib.decompressobj(), 0
    for start, end in chunks.pixels:
        part = inflate.decompress(data[start:end], _STEP)
        while part:
            length += len(part)
            part = inflate.decompress(inflate.unconsumed_tail, _STEP)
    return length >= _inflated(chunks)


_STEP = 1 << 20
"""Bytes inflated at a time where only their number matters."""


def _inflated(chunks: Chunks) -> int:
    bits = chunks.depth * _CHANNELS[chunks.color]
    passes = _PASSES if chunks.interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        width, height = -(-(chunks.width - left) // across), -(-(chunks.height - top) // down)
        total += height * (1 + (width * bits + 7) // 8) if width > 0 and height > 0 else 0
    return total


def _checked(found: dict[bytes, bytes], pixels: tuple[tuple[int, int], ...]) -> Chunks:
    header = found.get(b"IHDR", b"")
    if len(header) != 13:
        raise DecodeError("a PNG without its header")
    width, height, depth, color, compression, filters, interlaced = struct.unpack(">IIBBBBB", header)
    if depth not in _DEPTHS.get(color, ()) or compression or filters or interlaced > 1:
        raise DecodeError(f"a PNG of color type {color} and {depth} bits, which does not exist")
    palette = found.get(b"PLTE", b"") if color == 3 else b""
    if color == 3 and not palette:
        raise DecodeError("a PNG of palette colors without its palette")
    return Chunks(
        header, width, height, depth, color, bool(interlaced), palette[:768],
        found.get(b"tRNS"), _profile(found.get(b"iCCP")), found.get(b"eXIf"), pixels,
    )  # fmt: skip


def _profile(body: bytes | None) -> bytes | None:
    """Name, 0, method 0, zlib stream; one that is broken or huge is no profile."""
    if not body:
        return None
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(body.partition(b"\0")[2][1:], _MAX_PROFILE)
    except zlib.error:
        return None
    return profile if inflate.eof else None


def _sound(data: bytes, position: int, length: int) -> bool:
    end = position + 8 + length
    return end + 4 <= len(data) and zlib.crc32(data[position + 4 : end]) == int.from_bytes(data[end : end + 4], "big")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
