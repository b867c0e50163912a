"""The words that a picture file carries beside its pixels: what wrote it, and what that says of itself.

    PNG   tEXt, zTXt, iTXt ─> their keywords       eXIf ┐
    JPEG  COM ─> Comment     APP1 Exif ─────────────────┼──> Software, UserComment, ImageDescription ...
    WebP  EXIF ─────────────────────────────────────────┤
    TIFF, AVIF, HEIF, GIF  an EXIF block, a comment ────┘    XMP packets of all of them ─> XMP

No pixel is decoded. Whatever is broken is left out: metadata never costs a picture. W3C PNG (third edition), ITU-T T.81,
the WebP container, Exif 2.32 and XMP part 3 define the places.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from configs.decoding.png_chunks import SIGNATURE

_LONGEST = 1 << 20
"""Bytes of a text that are looked at; chosen: the largest workflows of ComfyUI have a few hundred kB."""

_TAGS = {0x010E: "ImageDescription", 0x010F: "Make", 0x0110: "Model", 0x0131: "Software", 0x013B: "Artist"}
_USER_COMMENT, _EXIF_DIRECTORY = 0x9286, 0x8769
_BYTES = (1, 2, 7)
"""Types of a value that may be a text: BYTE, ASCII, UNDEFINED."""
_MOST_TAGS = 512
"""Entries of a directory that are looked at; chosen."""

_SOS, _APP1, _COM = 0xDA, 0xE1, 0xFE
_XMP_OF_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_OF_PNG = "XML:com.adobe.xmp"
_PACKET = re.compile(rb"<x:xmpmeta.{1,1048576}?</x:xmpmeta>", re.DOTALL)
_TIFF = (b"II*\0", b"MM\0*")
_GIF_COMMENT = b"\x21\xfe"
_RAW_PROFILE = re.compile(r"Raw profile type (exif|APP1|xmp)")
"""Keywords under which ImageMagick writes metadata into a PNG, as hexadecimal digits."""


def texts(data: bytes) -> list[tuple[str, str]]:
    """(field, text) of a picture file in the order of the file; ``XMP`` is a whole packet."""
    if data.startswith(SIGNATURE):
        return list(_png(data))
    if data.startswith(b"\xff\xd8"):
        return list(_jpeg(data))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return list(_webp(data))
    return list(_other(data))


def _other(data: bytes) -> Iterator[tuple[str, str]]:
    """Of TIFF, and of containers that hold an EXIF block and a packet of XMP as they are."""
    begins = [0] if data.startswith(_TIFF) else [data.find(b"Exif\0\0" + order) for order in _TIFF]
    for begin in begins:
        if begin >= 0:
            yield from _exif(data[begin:])
    if data.startswith(b"GIF8") and (at := data.find(_GIF_COMMENT)) >= 0:
        yield "Comment", _decoded(_blocks(data, at + 2))
    if b"<x:xmpmeta" in data:
        yield from (("XMP", _decoded(packet)) for packet in _PACKET.findall(data))


def _blocks(data: bytes, at: int) -> bytes:
    """What the data sub-blocks of a GIF hold from ``at`` on (GIF89a, section 15)."""
    found = b""
    while at < len(data) and data[at] and len(found) < _LONGEST:
        found += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return found


def _png(data: bytes) -> Iterator[tuple[str, str]]:
    position = len(SIGNATURE)
    while position + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + min(length, _LONGEST)]
        if name == b"eXIf":
            yield from _exif(body)
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            keyword, _, rest = body.partition(b"\0")
            text = {b"tEXt": _plain, b"zTXt": _compressed, b"iTXt": _international}[name](rest)
            yield from _keyword(keyword.decode("latin-1"), text)
        position += length + 12


def _keyword(keyword: str, text: str) -> Iterator[tuple[str, str]]:
    raw = _RAW_PROFILE.fullmatch(keyword)
    if raw is None:
        yield ("XMP" if keyword == _XMP_OF_PNG else keyword), text
        return
    try:
        body = bytes.fromhex("".join(text.split()[2:]))  # its name and its length come first
    except ValueError:
        return
    packets = [body] if raw[1] == "xmp" else _PACKET.findall(body)
    yield from (("XMP", _decoded(packet)) for packet in packets)
    yield from _exif(body)


def _plain(rest: bytes) -> str:
    """Latin-1 by the standard; most programs write UTF-8."""
    return _decoded(rest)


def _compressed(rest: bytes) -> str:
    return _decoded(_inflated(rest[1:]))


def _international(rest: bytes) -> str:
    """Flag, method, language, 0, translated keyword, 0, text."""
    parts = rest[2:].split(b"\0", 2)
    body = parts[2] if len(parts) == 3 else b""
    return _decoded(_inflated(body) if rest[:1] == b"\1" else body)


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(body, _LONGEST)
    except zlib.error:
        return b""


def _jpeg(data: bytes) -> Iterator[tuple[str, str]]:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        body = data[position + 4 : position + 2 + length]
        if marker == _SOS or length < 2:
            return
        if marker == _APP1 and body.startswith(b"Exif\0"):
            yield from _exif(body)
        elif marker == _APP1 and body.startswith(_XMP_OF_JPEG):
            yield "XMP", _decoded(body[len(_XMP_OF_JPEG) :])
        elif marker == _COM:
            yield "Comment", _decoded(body)
        position += 2 + length


def _webp(data: bytes) -> Iterator[tuple[str, str]]:
    position = 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        if name == b"EXIF":
            yield from _exif(data[position + 8 : position + 8 + length])
        elif name == b"XMP ":
            yield "XMP", _decoded(data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2


def _exif(block: bytes) -> list[tuple[str, str]]:
    """Of an EXIF block, with or without ``Exif\\0\\0`` in front."""
    tiff = block[6:] if block.startswith(b"Exif\0") else block
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return []
    first = _directory(tiff, order, struct.unpack_from(order + "I", tiff, 4)[0])
    found = [(name, _decoded(_value(tiff, order, first[tag]))) for tag, name in _TAGS.items() if tag in first]
    if _EXIF_DIRECTORY in first:
        inner = _directory(tiff, order, struct.unpack(order + "I", first[_EXIF_DIRECTORY][2])[0])
        if _USER_COMMENT in inner:
            found.append(("UserComment", _user_comment(_value(tiff, order, inner[_USER_COMMENT]), order)))
    return found


_Entry = tuple[int, int, bytes]
"""Type, count, and the four bytes that hold the value or say where it lies."""


def _directory(tiff: bytes, order: str, offset: int) -> dict[int, _Entry]:
    if offset + 2 > len(tiff):
        return {}
    (count,) = struct.unpack_from(order + "H", tiff, offset)
    entries = range(offset + 2, min(offset + 2 + 12 * min(count, _MOST_TAGS), len(tiff) - 11), 12)
    found = (struct.unpack_from(order + "HHI4s", tiff, at) for at in entries)
    return {tag: (kind, length, field) for tag, kind, length, field in found}


def _value(tiff: bytes, order: str, entry: _Entry) -> bytes:
    kind, length, field = entry
    if kind not in _BYTES:
        return b""
    if length <= len(field):
        return field[:length]
    (offset,) = struct.unpack(order + "I", field)
    return tiff[offset : offset + min(length, _LONGEST)]


def _user_comment(value: bytes, order: str) -> str:
    """Eight bytes name the encoding; UNICODE is UTF-16 of either order, whatever the block's is."""
    code, body = value[:8], value[8:]
    if code.startswith(b"UNICODE"):
        big = body[:1] == b"\0" or (order == ">" and body[1:2] != b"\0")
        return body.decode("utf-16-be" if big else "utf-16-le", "replace").strip("\0")
    return _decoded(body)


def _decoded(body: bytes) -> str:
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    try:
        return body.decode("utf-8").strip("\0")
    except UnicodeDecodeError:
        return body.decode("latin-1").strip("\0")
