"""Where the parts of a JPEG lie: its frame, its tables and its scans. No pixel is decoded.

    SOI  APPn COM ...  DQT DHT SOF  SOS ‹entropy-coded data›  [DHT SOS ‹...›] ...  EOI  whatever follows

Segments that no pixel needs (EXIF, XMP, thumbnails, comments) are left out of what a decoder is given. One of them
whose length is wrong leads nowhere: the walk then starts again behind it, where a chain of sound segments begins.
ITU-T T.81 defines the markers.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from configs.decoding.opened import DecodeError

_EOI, _SOS, _DQT, _DHT, _DRI = 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
_TABLES = (_DQT, _DHT, _DRI)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READ = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_UNREAD = {0xC3: "lossless"} | dict.fromkeys(range(0xC5, 0xC8), "hierarchical")
_UNREAD |= dict.fromkeys(range(0xC9, 0xD0), "arithmetic-coded")
_SKIPPED = frozenset(range(0xE0, 0xF0)) | {0xFE}
_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}  # a second SOI is that of a thumbnail
_MAX_SCANS = 256  # chosen: encoders write about ten, and each one costs a pass over the whole picture
_SEARCHED = 2 * 65_536
"""Bytes behind a segment of wrong length in which the next sound one is looked for: a segment has 65,535 at most."""

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # the end of entropy-coded data
_CANDIDATE = re.compile(rb"\xff[\xc0-\xc4\xdb\xdd\xe0-\xef\xfe]")


@dataclass(frozen=True)
class Segment:
    """``data[start:end]`` with its marker and length; ``body`` begins behind these."""

    marker: int
    start: int
    end: int

    @property
    def body(self) -> int:
        return self.start + 4


@dataclass(frozen=True)
class Frame:
    """SOF: size in px, and for each component its id and how often it is sampled across and down."""

    progressive: bool
    width: int
    height: int
    components: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Scan:
    """``before``: tables and SOS, as bytes. ``data[start:end]``: entropy-coded. ``components``: indices of the frame.
    ``band``: first and last coefficient, ``bits``: Ah and Al. ``interval``: MCUs between restart markers, 0: none.
    ``zeros_are_pixels``: whether 0 bits are what a flat block is coded as, rather than one of 63 equal coefficients."""

    before: bytes
    start: int
    end: int
    components: tuple[int, ...]
    band: tuple[int, int]
    bits: tuple[int, int]
    interval: int
    zeros_are_pixels: bool


@dataclass(frozen=True)
class Layout:
    """A JPEG taken apart. ``skipped``: APPn and COM, none of which a decoder is given but JFIF and Adobe."""

    frame: Frame
    head: tuple[Segment, ...]
    skipped: tuple[Segment, ...]


def read_layout(data: bytes) -> Layout:
    """The segments up to the first scan. Raises DecodeError."""
    found, broken = _walk(data, 2)
    if broken is not None:
        found = _resumed(data, found, broken)
    frame = next((s for s in found if s.marker in _FRAMES), None)
    if frame is None or found[-1].marker != _SOS:
        raise DecodeError("a JPEG without a scan: it has no pixels, or its header is broken")
    skipped = tuple(s for s in found if s.marker in _SKIPPED)
    return Layout(_frame(data, frame), tuple(s for s in found if s.marker not in _SKIPPED), skipped)


def read_scans(data: bytes, layout: Layout) -> list[Scan]:
    """Every scan of the picture, in order. Raises DecodeError where one is missing."""
    scans: list[Scan] = []
    waiting, interval = list(layout.head), 0
    zeros: dict[int, int] = {}
    while True:
        for segment in waiting:
            if segment.marker == _DRI:
                (interval,) = struct.unpack_from(">H", data, segment.body)
            elif segment.marker == _DHT:
                zeros |= _first_symbols(data[segment.body : segment.end])
        before = b"".join(data[s.start : s.end] for s in waiting if s.marker not in _SKIPPED)
        scans.append(_scan(data, layout.frame, waiting[-1], before, interval, zeros))
        if len(scans) > _MAX_SCANS:
            raise DecodeError(f"a JPEG with more than {_MAX_SCANS} scans")
        waiting, broken = _walk(data, scans[-1].end)
        if broken is not None:
            raise DecodeError("truncated: a JPEG without its end marker")
        if not waiting or waiting[-1].marker != _SOS:
            _check_complete(layout.frame, scans)
            return scans


def application(data: bytes, layout: Layout, marker: int, name: bytes) -> Iterator[bytes]:
    """What stands behind ``name`` in the APP segments that begin with it."""
    for segment in layout.skipped:
        if segment.marker == marker and data.startswith(name, segment.body, segment.end):
            yield data[segment.body + len(name) : segment.end]


def _walk(data: bytes, position: int) -> tuple[list[Segment], int | None]:
    """Segments from here to the first SOS, and where the chain breaks (None: it does not; EOI ends it too)."""
    found: list[Segment] = []
    while True:
        while data[position : position + 2] == b"\xff\xff":  # fill bytes
            position += 1
        if len(data) < position + 2 or data[position] != 0xFF:
            return found, position
        marker = data[position + 1]
        if marker == _EOI:
            return found, None
        if marker in _BARE:
            position += 2
            continue
        segment = _segment(data, position, marker)
        if segment is None:
            return found, position
        found.append(segment)
        if marker == _SOS:
            return found, None
        position = segment.end


def _segment(data: bytes, position: int, marker: int) -> Segment | None:
    if len(data) < position + 4:
        return None
    (length,) = struct.unpack_from(">H", data, position + 2)
    end = position + 2 + length
    if length < 2 or end > len(data):
        return None
    if marker in _FRAMES:
        sound = length >= 11 and length == 8 + 3 * data[position + 9]
    elif marker == _SOS:
        sound = length >= 8 and length == 6 + 2 * data[position + 4]
    else:
        sound = marker in _SKIPPED or marker in _TABLES
    return Segment(marker, position, end) if sound else None


def _resumed(data: bytes, found: list[Segment], broken: int) -> list[Segment]:
    """Go on behind the segment that led astray: the last skippable one, or the broken place itself.

    Of several chains the one of the largest frame is the picture: the others are thumbnails inside of EXIF.
    """
    start = next((s.start + 2 for s in reversed(found) if s.marker in _SKIPPED), broken)
    best: tuple[int, list[Segment]] = (0, [])
    for match in _CANDIDATE.finditer(data, start, max(start, broken) + _SEARCHED):
        chain, end = _walk(data, match.start())
        frame = next((s for s in chain if s.marker in _FRAMES), None)
        if frame is not None and end is None and chain[-1].marker == _SOS:
            height, width = struct.unpack_from(">HH", data, frame.body + 1)
            best = max(best, (height * width, chain), key=lambda one: one[0])
    return [s for s in found if best[1] and s.end <= best[1][0].start] + best[1]


def _frame(data: bytes, segment: Segment) -> Frame:
    if segment.marker not in _READ:
        raise DecodeError(f"a {_UNREAD[segment.marker]} JPEG, which is not read")
    precision, height, width, count = struct.unpack_from(">BHHB", data, segment.body)
    if precision != 8:
        raise DecodeError(f"a JPEG of {precision} bits a sample, which is not read")
    if height == 0:
        raise DecodeError("a JPEG whose height stands behind its first scan (DNL), which is not read")
    if count not in (1, 3, 4):
        raise DecodeError(f"a JPEG of {count} components, which is not read")
    parts = [data[segment.body + 6 + 3 * i : segment.body + 9 + 3 * i] for i in range(count)]
    return Frame(segment.marker == 0xC2, width, height, tuple((p[0], p[1] >> 4, p[1] & 15) for p in parts))


def _first_symbols(tables: bytes) -> dict[int, int]:
    """Class and number of each Huffman table -> what its shortest code, that of 0 bits alone, stands for."""
    found, position = {}, 0
    while position + 17 < len(tables):
        found[tables[position]] = tables[position + 17]
        position += 17 + sum(tables[position + 1 : position + 17])
    return found


def _scan(data: bytes, frame: Frame, segment: Segment, before: bytes, interval: int, zeros: dict[int, int]) -> Scan:
    count = data[segment.body]
    ids = [c[0] for c in frame.components]
    names = [data[segment.body + 1 + 2 * i] for i in range(count)]
    if any(name not in ids for name in names):
        raise DecodeError("a JPEG whose scan names a component that it does not have")
    first, last, bits = data[segment.body + 1 + 2 * count : segment.body + 4 + 2 * count]
    match = _MARKER.search(data, segment.end)
    end = match.start() if match else len(data)
    while end > segment.end and data[end - 1] == 0xFF:  # fill bytes: 0xFF in the data is followed by 0
        end -= 1
    components = tuple(ids.index(name) for name in names)
    tables = {0x10 | data[segment.body + 2 + 2 * i] & 15 for i in range(count)}
    flat = frame.progressive or all(zeros.get(table, 0) == 0 for table in tables)
    return Scan(before, segment.end, end, components, (first, last), (bits >> 4, bits & 15), interval, flat)


def _check_complete(frame: Frame, scans: list[Scan]) -> None:
    """Each coefficient of each component is sent down to its last bit."""
    wanted = set(range(len(frame.components)))
    if not frame.progressive:
        missing = bool(wanted - {c for s in scans for c in s.components})
    else:
        low = {(c, k): 16 for c in wanted for k in range(64)}
        for scan in scans:
            low |= {(c, k): scan.bits[1] for c in scan.components for k in range(scan.band[0], scan.band[1] + 1)}
        missing = any(low.values())
    if missing:
        raise DecodeError(
            f"truncated: the data end before the last row: scans are missing behind the first {len(scans)}"
        )
