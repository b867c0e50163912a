"""JPEG: each of its scans must reach its end, and end where its data do.

libjpeg only warns where data are missing and makes up the rest, in gray or in noise; Pillow does not pass the
warnings on. But libjpeg says how many bytes it has taken, so the data are handed over scan by scan:

    ... data of a scan | 8 bytes of no meaning  the decoder must be through: it reads ahead by 8 bytes at most
    ... all but the last 64 bytes               it must not be through: what it took for pixels was something else

Lost data are often replaced by zeros, and these are codes too. Where the tables make them a flat block, the decoder is
through long before their end; where they make them a block that no picture has, a run of them is no picture.

A decoder that is through with a scan takes any number of bytes at once while it looks for the next marker; one that
is not leaves those of an unfinished MCU. Where a file was cut and then closed by an end marker, up to four blocks of
8 x 8 pixels may go unnoticed, as many as fit into the 8 bytes; without an end marker no file passes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from math import ceil

from PIL import Image

from configs.decoding.exif import orientation_of
from configs.decoding.icc import to_srgb
from configs.decoding.jpeg_layout import Frame, Layout, Scan, application, read_layout, read_scans
from configs.decoding.opened import DecodeError, Opened

_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_ONES = b"\xff\x00"
"""A byte of eight 1 bits, which no Huffman code of a JPEG consists of."""
_READ_AHEAD = 8
"""Bytes in the bit buffer of libjpeg-turbo on 64-bit machines."""
_LOST = bytes(256)
"""Chosen: more zeros than an MCU of 63 equal coefficients in each block takes; no picture has two of these in a row."""
_LEFT_OVER = 64  # chosen: cameras leave a few bytes before the last marker, lost data are replaced by hundreds
_STEPS = 16  # chosen: twice the read-ahead, within which an unfinished MCU must show
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


def open_jpeg(data: bytes) -> Opened:
    """A JPEG, or the first picture of an MPO. Raises DecodeError."""
    layout = read_layout(data)
    frame = layout.frame
    exif = next(application(data, layout, _APP1, b"Exif\0\0"), None)
    several = next(application(data, layout, _APP2, b"MPF\0"), None) is not None
    form = "MPO" if several else "JPEG"
    return Opened(form, frame.width, frame.height, orientation_of(exif), lambda: _rgb(data, layout))


def decode_jpeg(data: bytes, colors: bytes | None = None) -> Image.Image:
    """Mode L, RGB, or CMYK with 255 for full ink. ``colors``: segments that say what the components are, instead of
    those of the file. Raises DecodeError."""
    layout = read_layout(data)
    return _decoded(data, layout, _colors(data, layout) if colors is None else colors)


def _rgb(data: bytes, layout: Layout) -> Image.Image:
    return to_srgb(_decoded(data, layout, _colors(data, layout)), _profile(data, layout))


def _decoded(data: bytes, layout: Layout, colors: bytes) -> Image.Image:
    scans = read_scans(data, layout)
    for scan in scans:
        _check_restarts(data, layout.frame, scan)
        if not scan.zeros_are_pixels and data.find(_LOST, scan.start, scan.end) >= 0:
            raise DecodeError("truncated: zeros stand where pixels should be")
    return _Feed(data, layout, scans, colors).image()


def _profile(data: bytes, layout: Layout) -> bytes | None:
    """The ICC profile out of its numbered parts; one that lacks a part is none."""
    parts = sorted(application(data, layout, _APP2, b"ICC_PROFILE\0"))
    whole = [part[0] for part in parts if len(part) > 2] == list(range(1, len(parts) + 1))
    return b"".join(part[2:] for part in parts) if parts and whole and parts[0][1] == len(parts) else None


def _check_restarts(data: bytes, frame: Frame, scan: Scan) -> None:
    if not scan.interval:
        return
    expected = ceil(_mcus(frame, scan) / scan.interval) - 1
    found = sum(1 for _ in _RESTART.finditer(data, scan.start, scan.end))
    if found < expected:
        raise DecodeError(f"truncated: the data end before the last row: {found} of {expected} restart markers")


def _mcus(frame: Frame, scan: Scan) -> int:
    across = max(h for _, h, _ in frame.components)
    down = max(v for _, _, v in frame.components)
    if len(scan.components) == 1:  # not interleaved: its own blocks, as many as its samples need
        _, h, v = frame.components[scan.components[0]]
        return ceil(ceil(frame.width * h / across) / 8) * ceil(ceil(frame.height * v / down) / 8)
    return ceil(frame.width / (8 * across)) * ceil(frame.height / (8 * down))


class _Feed:
    """Hands a JPEG to Pillow's decoder in pieces, and looks at what it leaves."""

    def __init__(self, data: bytes, layout: Layout, scans: list[Scan], colors: bytes) -> None:
        self.data, self.scans = data, scans
        self.single = not layout.frame.progressive and len(scans[0].components) == len(layout.frame.components)
        start = b"\xff\xd8" + colors + scans[0].before
        self.picture = Image.open(io.BytesIO(start), formats=("JPEG",))
        self.picture.load_prepare()
        tile = self.picture.tile[0]
        # Pillow has no public way to a decoder that tells how much it took; ImageFile.load() goes this one.
        self.decoder = Image._getdecoder(self.picture.mode, tile[0], tile[3], self.picture.decoderconfig)
        self.decoder.setimage(self.picture.im, tile[1])
        self.start, self.rest, self.done = start, b"", False

    def image(self) -> Image.Image:
        """The decoded picture. Raises DecodeError where a scan does not reach its end, or ends before its data."""
        try:
            for index, scan in enumerate(self.scans):
                self._put(self.start if index == 0 else scan.before)
                self._put_scan(scan)
            self._put(b"\xff\xd9")
        finally:
            self.decoder.cleanup()
        if not self.done:
            raise DecodeError("truncated: the data end before the last row")
        self.picture.tile = []
        return self.picture

    def _put(self, piece: bytes) -> None:
        if self.done:
            return
        self.rest += piece
        taken, error = self.decoder.decode(self.rest)
        if taken < 0:
            self.done = True
            if error < 0:
                raise DecodeError("broken JPEG data")
        self.rest = self.rest[max(taken, 0) :]

    def _put_scan(self, scan: Scan) -> None:
        early = scan.end - _LEFT_OVER
        if early - _STEPS > scan.start:
            self._put(self.data[scan.start : early - _STEPS])
            if self._through(self.data[i : i + 1] for i in range(early - _STEPS, early)):
                raise DecodeError(f"the last row comes more than {_LEFT_OVER} bytes before the data of its scan end")
            self._put(self.data[early : scan.end])
        else:
            self._put(self.data[scan.start : scan.end])
        self._put((_ONES if scan.zeros_are_pixels else b"\0") * _READ_AHEAD)
        if not (self.done if self.single else self._through(_ONES for _ in range(_STEPS))):
            raise DecodeError("truncated: the data end before the last row")

    def _through(self, pieces: Iterable[bytes]) -> bool:
        """Whether the decoder is through with the scan: it then keeps nothing, but for one byte that may be a marker.

        One scan alone ends the picture; behind one of several the decoder goes on looking for the next.
        """
        left = 0
        for piece in pieces:
            self._put(piece)
            left = max(left, len(self.rest))
        return self.done if self.single else left <= 1


def _colors(data: bytes, layout: Layout) -> bytes:
    """JFIF and Adobe segments: they decide whether three components are YCbCr or RGB."""
    found = b""
    for marker, name, least in ((_APP0, b"JFIF\0", 9), (_APP14, b"Adobe", 7)):
        body = next(application(data, layout, marker, name), b"")
        if len(body) >= least:
            found += bytes((0xFF, marker)) + (len(name) + len(body) + 2).to_bytes(2, "big") + name + body
    return found
