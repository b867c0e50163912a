"""From the strips or tiles of a TIFF to its samples: the numbers in the file, whatever they mean.

    strip or tile ──decompress──> bytes ──unpack──> integers or floats ──predictor──> block ──> (H, W, samples)

zlib and CCITT, LZW and the like decompress, the latter through libtiff: Pillow is given a TIFF of one strip that calls
the bytes an 8-bit picture, so that no meaning of its own comes in. A strip of JPEG is a JPEG without tables.

Why not tifffile (2026.3.3 with imagecodecs 2026.3.6 was tried in place of this file, tiff_tags and tiff_bits): 9 of the
184 cases of tests/configs/decoding/test_tiff.py fail. It fills strips that are missing or short with black and says
nothing, reads 24-bit integers wrong, reads no subsampled YCbCr outside of JPEG, and takes memory for all pixels that a
header names before it looks for the first of them.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from configs.decoding import tiff_tags as tag
from configs.decoding.jpeg import decode_jpeg
from configs.decoding.opened import DecodeError
from configs.decoding.tiff_bits import accumulated, unpacked
from configs.decoding.tiff_tags import Page

_NONE, _LZW, _JPEG, _ZIP, _OLD_ZIP, _PACK_BITS, _LZMA, _ZSTD = 1, 5, 7, 8, 32946, 32773, 34925, 50000
_FAX = (2, 3, 4)
_NAMES = {6: "old-style JPEG", 32766: "NeXT", 32809: "ThunderScan", 32909: "PixarLog", 34661: "JBIG", 34676: "SGILog",
          34677: "SGILog24", 34712: "JPEG 2000", 34887: "LERC", 34892: "lossy JPEG", 50001: "WebP", 50002: "JPEG XL",
          52546: "JPEG XL"}  # fmt: skip
_KINDS = {"u": "unsigned", "i": "signed", "f": "float"}
_YCBCR = 6
_MAX_BYTES = 2 << 30
"""Chosen: of all samples together, unpacked; 178 million pixels of 4 x 16 bits take 1.4 GB."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Form:
    """How samples are stored. ``kind``: u, i or f. ``planes``: 1, or one for each sample; ``per``: samples a plane.
    ``subsampling``: of the chroma of YCbCr, across and down."""

    width: int
    height: int
    bits: int
    kind: str
    samples: int
    planar: bool
    compression: int
    photometric: int
    predictor: int
    subsampling: tuple[int, int]

    @property
    def planes(self) -> int:
        return self.samples if self.planar else 1

    @property
    def per(self) -> int:
        return 1 if self.planar else self.samples


def read_form(page: Page) -> Form:
    """What the tags say. Raises DecodeError for what is not read, by its name."""
    samples = page.one(tag.SAMPLES, 1)
    bits, kinds = set(page.all(tag.BITS)[:samples] or (1,)), set(page.all(tag.SAMPLE_FORMAT)[:samples] or (1,))
    if len(bits) > 1 or len(kinds) > 1:
        raise DecodeError("a TIFF whose samples differ in their bits or their format, which is not read")
    depth = bits.pop()
    kind = {1: "u", 2: "i", 3: "f", 4: "u"}.get(kinds.pop())
    if kind is None:
        raise DecodeError("a TIFF of complex numbers")
    if not (depth in (16, 32, 64) if kind == "f" else 1 <= depth <= 32 if kind == "u" else depth in (8, 16, 32)):
        raise DecodeError(f"a TIFF of {depth}-bit {_KINDS[kind]} samples, which is not read")
    compression, photometric = page.one(tag.COMPRESSION, 1), page.one(tag.PHOTOMETRIC)
    subsampling = (1, 1)
    if photometric == _YCBCR and compression != _JPEG:
        subsampling = (tuple(page.all(tag.SUBSAMPLING)) or (2, 2))[:2]  # type: ignore[assignment]
    form = Form(
        page.one(tag.WIDTH), page.one(tag.HEIGHT), depth, kind, samples, page.one(tag.PLANAR, 1) == 2 and samples > 1,
        compression, photometric, page.one(tag.PREDICTOR, 1), subsampling,
    )  # fmt: skip
    _check(form)
    return form


def read_samples(data: bytes, page: Page, form: Form) -> np.ndarray:
    """(H, W, samples), uint8..32, int8..32 or float16..64, in the machine's byte order. Raises DecodeError.

    YCbCr comes with its chroma repeated for each pixel; out of JPEG it comes as RGB.
    """
    whole: np.ndarray | None = None
    for block, plane, top, left, rows, columns in _blocks(data, page, form):
        values = _block(block, page, form, rows, columns)
        if whole is None:
            if form.width * form.height * form.samples * values.dtype.itemsize > _MAX_BYTES:
                raise DecodeError(f"a TIFF of more than {_MAX_BYTES} bytes of samples")
            whole = np.zeros((form.height, form.width, form.samples), dtype=values.dtype)
        part = whole[top : top + rows, left : left + columns, plane : plane + form.per]
        part[...] = values[: part.shape[0], : part.shape[1]]
    assert whole is not None
    return whole


def _check(form: Form) -> None:
    if form.samples < 1 or form.samples > 64:
        raise DecodeError(f"a TIFF of {form.samples} samples a pixel")
    if form.compression not in (_NONE, _LZW, _JPEG, _ZIP, _OLD_ZIP, _PACK_BITS, _LZMA, _ZSTD, *_FAX):
        raise DecodeError(f"a TIFF compressed as {_NAMES.get(form.compression, form.compression)}, which is not read")
    if form.compression in _FAX and (form.bits, form.samples) != (1, 1):
        raise DecodeError("a TIFF of fax compression with more than one bit")
    if form.compression == _JPEG and (form.bits, form.kind, form.predictor) != (8, "u", 1):
        raise DecodeError(f"a TIFF of JPEG with {form.bits}-bit samples, which is not read")
    across, down = form.subsampling
    if across not in (1, 2, 4) or down not in (1, 2, 4):
        raise DecodeError(f"a TIFF whose chroma is sampled {across} x {down}")
    if form.subsampling != (1, 1) and (form.planar or form.bits != 8 or form.samples != 3 or form.predictor != 1):
        raise DecodeError("a TIFF of subsampled YCbCr other than 3 x 8 bits side by side, which is not read")
    whole_bytes = form.bits in (8, 16, 32, 64)
    if form.predictor not in (1, 2, 3) or (form.predictor == 2 and not whole_bytes):
        raise DecodeError(f"a TIFF of predictor {form.predictor} with {form.bits} bits, which is not read")
    if form.predictor == 3 and form.kind != "f":
        raise DecodeError("a TIFF of the predictor for floats, without floats")


def _blocks(data: bytes, page: Page, form: Form) -> Iterator[tuple[bytes, int, int, int, int, int]]:
    """Compressed bytes, plane, top, left, rows and columns of each strip or tile."""
    tiled = bool(page.all(tag.TILE_OFFSETS))
    offsets = page.all(tag.TILE_OFFSETS if tiled else tag.STRIP_OFFSETS)
    counts = page.all(tag.TILE_COUNTS if tiled else tag.STRIP_COUNTS)
    if tiled:
        columns, rows = page.one(tag.TILE_WIDTH), page.one(tag.TILE_HEIGHT)
    else:
        columns, rows = form.width, min(page.one(tag.ROWS_PER_STRIP, form.height), form.height)
    if columns < 1 or rows < 1 or columns * rows > 2**31:
        raise DecodeError(f"a TIFF with blocks of {columns} x {rows}")
    across, down = -(-form.width // columns), -(-form.height // rows)
    if len(offsets) < across * down * form.planes:
        raise DecodeError(
            f"truncated: the data end before the last row: {len(offsets)} of {across * down * form.planes} blocks"
        )
    for index in range(across * down * form.planes):
        plane, place = divmod(index, across * down)
        top, left = place // across * rows, place % across * columns
        high = rows if tiled else min(rows, form.height - top)
        count = counts[index] if index < len(counts) and counts[index] else len(data)
        yield data[offsets[index] : offsets[index] + count], plane, top, left, high, columns


def _block(block: bytes, page: Page, form: Form, rows: int, columns: int) -> np.ndarray:
    """(rows, columns, samples of its plane)."""
    if page.one(tag.FILL_ORDER, 1) == 2:
        block = block.translate(_REVERSED)
    if form.compression == _JPEG:
        return _jpeg(block, page, form, rows, columns)
    across, down = form.subsampling
    if form.subsampling != (1, 1):
        units = (-(-rows // down), -(-columns // across))
        raw = _decompressed(block, page, form, units[0], units[1] * (across * down + 2), columns)
        return _spread(np.frombuffer(raw, dtype=np.uint8).reshape(*units, -1), across, down)
    size = (columns * form.per * form.bits + 7) // 8
    raw = _decompressed(block, page, form, rows, size, columns)
    if form.predictor > 1:
        return accumulated(raw, (rows, columns, form.per), form.bits, form.kind, page.order, form.predictor)
    return unpacked(raw, (rows, columns, form.per), form.bits, form.kind, page.order)


def _spread(units: np.ndarray, across: int, down: int) -> np.ndarray:
    """(rows, columns, Y ... Y Cb Cr) of subsampled units -> (H, W, 3), the chroma repeated."""
    high, wide, _ = units.shape
    luma = units[..., :-2].reshape(high, wide, down, across).transpose(0, 2, 1, 3).reshape(high * down, wide * across)
    chroma = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return np.concatenate([luma[..., None], chroma], axis=-1)


def _decompressed(block: bytes, page: Page, form: Form, rows: int, size: int, columns: int) -> bytes:
    """``rows`` times ``size`` bytes."""
    wanted = rows * size
    if form.compression == _NONE:
        raw = block[:wanted]
    elif form.compression in (_ZIP, _OLD_ZIP):
        raw = zlib.decompressobj().decompress(block, wanted)
    else:
        raw = _through_libtiff(block, page, form, rows, size, columns)
    if len(raw) < wanted:
        raise DecodeError("truncated: the data end before the last row")
    return raw


def _through_libtiff(block: bytes, page: Page, form: Form, rows: int, size: int, columns: int) -> bytes:
    fax = form.compression in _FAX
    tags = {
        tag.WIDTH: columns if fax else size, tag.HEIGHT: rows, tag.BITS: 1 if fax else 8,
        tag.COMPRESSION: form.compression, tag.PHOTOMETRIC: 1, tag.STRIP_OFFSETS: 0, tag.SAMPLES: 1,
        tag.ROWS_PER_STRIP: rows, tag.STRIP_COUNTS: len(block),
    }  # fmt: skip
    for option in (tag.T4_OPTIONS, tag.T6_OPTIONS):
        if page.all(option):
            tags[option] = page.one(option)
    start = 8 + 2 + 12 * len(tags) + 4
    tags[tag.STRIP_OFFSETS] = start
    entries = b"".join(struct.pack("<HHII", key, 4, 1, value) for key, value in sorted(tags.items()))
    file = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0\0\0\0" + block
    values = np.asarray(Image.open(io.BytesIO(file), formats=("TIFF",)))
    return (np.packbits(values, axis=1) if fax else values).tobytes()


def _jpeg(block: bytes, page: Page, form: Form, rows: int, columns: int) -> np.ndarray:
    """A block that is a JPEG of its own, whose tables may stand in a tag and whose colors the photometric tag says."""
    tables = page.raw(tag.JPEG_TABLES) or b"\xff\xd8\xff\xd9"
    whole = b"\xff\xd8" + tables[2:-2] + block[2:]
    transform = 1 if form.photometric == _YCBCR else 0
    adobe = b"\xff\xee\0\x0eAdobe" + bytes((0, 100, 0, 0, 0, 0, transform))
    image = decode_jpeg(whole, adobe if form.per > 1 else b"")
    values = np.asarray(image).reshape(image.height, image.width, -1)
    if values.shape[2] != form.per or values.shape[0] < rows or values.shape[1] < columns:
        raise DecodeError("a TIFF whose JPEG has another size than its tags say")
    # Pillow takes every CMYK JPEG for an inverted one of Photoshop's; in a TIFF it is none.
    return 255 - values if form.per == 4 else values
