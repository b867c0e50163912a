"""Photographs behind the text: found once, decoded when drawn, cropped to the canvas.

    PhotoSource ──find──> Photos ──choose(canvas, rng)──> Backdrop (uint8 pixels, which photograph)

A source is a collection that is listed (``synth.photo_list``), a picture, a folder of pictures, or a dataset in Parquet,
of which the pictures without text are taken: words that nobody annotated would make the annotation of a scene untrue. A
photograph that cannot be read is left out and counted; a source without any is an error.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from PIL import Image

from configs.errors import UserError
from configs.files import package_folder
from configs.pictures import Limits, decode
from synth.choice import choose
from synth.errors import Undrawable
from synth.geometry import Box
from synth.photo_list import Kind, Theme, check_licenses, listed

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_MAX_SIDE = 1600  # px that a decoded photograph keeps on its longer side
_LIMITS = Limits(max_bytes=1_000_000_000, max_pixels=100_000_000)  # more is refused unread
_CELL = 8  # px of the canvas to a cell of ``Backdrop.cells``
_COLORED = 10.0  # chosen: of 255, from a pixel's least channel to its greatest, on average
_GRID = 16  # px from one pixel that is asked for its color to the next
_MIN_SIDE = 96  # px on the shorter side
_HEAD_BYTES = 65536  # bytes of a file that stand for its content, with its length


@dataclass(frozen=True)
class PhotoSource:
    """A picture, a folder of them, or a dataset; relative to the Python package ``package`` when given, else to the
    working directory. ``license`` is for pictures that bring none of their own, as the rows of a dataset do.

    ``collection``: "free", those that are listed in ``synth/data/photographs.yaml`` and are installed; ``licenses``: also
    those under these, which bind what is made of them; ``kinds``: of these alone.
    """

    renamed: ClassVar[dict[str, str]] = {"share": "weight"}

    path: str = ""
    package: str | None = None
    license: str = "unknown"
    weight: float = 1.0
    collection: Literal["free"] | None = None
    licenses: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.collection):
            raise ValueError("photographs need either path or collection")
        if (self.licenses or self.kinds) and not self.collection:
            raise ValueError("licenses and kinds are for a collection; a path has its license")
        check_licenses(self.licenses)
        if self.weight <= 0:
            raise ValueError(f"weight must be above 0, found {self.weight:g}")


Accepts = Callable[[Kind | None, Theme | None], bool]
"""Whether a photograph of such a kind and theme is wanted; None of one that is not listed."""


class Backdrop:
    """A photograph cut to a ``canvas`` (w, h). ``id``: its entry in ``Sample.parents``. ``subjects``: boxes, px of the
    canvas, that text should keep off, as far as they are known. ``enlarged``: px of the canvas to one of the photograph.
    ``gray``: whether it has no colors, so that what is set before it has too many."""

    def __init__(
        self,
        photo: Image.Image,
        box: tuple[float, float, float, float],
        canvas: tuple[int, int],
        id_: str,
        license_: str,
        subjects: Sequence[Box] = (),
        kind: Kind | None = None,
        theme: Theme | None = None,
        gray: bool = False,
    ) -> None:
        self._photo, self._box, self._marked = photo, box, subjects
        self.subjects = _seen(subjects, photo.size, box, canvas)
        self.canvas, self.id, self.license, self.kind, self.theme = canvas, id_, license_, kind, theme
        self.enlarged = canvas[0] / (box[2] - box[0])
        self.gray = gray

    def showing(self, subjects: Sequence[Box]) -> Backdrop:
        """The same where something hides other ``subjects``, or parts of them."""
        seen = copy(self)
        seen.subjects = tuple(subjects)
        return seen

    @cached_property
    def lost(self) -> float:
        """Of the subject that the cut takes most of, 0 to 1."""
        return max((_outside(subject, self._photo.size, self._box) for subject in self._marked), default=0.0)

    @cached_property
    def pixels(self) -> np.ndarray:
        """(h, w, 3) uint8."""
        return np.asarray(self._resized(self.canvas))

    @cached_property
    def cells(self) -> np.ndarray:
        """Gray (h / 8, w / 8) float: enough to see where it is flat, and cheap before anything else is decided."""
        return np.asarray(self._small.convert("L"), float)

    def colors(self, box: tuple[float, float, float, float]) -> np.ndarray:
        """(n, 3) uint8: the colors of the cells in a box of px."""
        small = np.asarray(self._small)
        sx, sy = self.canvas[0] / small.shape[1], self.canvas[1] / small.shape[0]
        x0, y0, x1, y1 = int(box[0] / sx), int(box[1] / sy), math.ceil(box[2] / sx), math.ceil(box[3] / sy)
        return small[y0:y1, x0:x1].reshape(-1, 3)

    @cached_property
    def _small(self) -> Image.Image:
        w, h = self.canvas
        return self._resized((max(w // _CELL, 4), max(h // _CELL, 4)))

    def _resized(self, size: tuple[int, int]) -> Image.Image:
        return self._photo.resize(size, Image.Resampling.BILINEAR, box=self._box, reducing_gap=2.0)


class Photos:
    """All photographs of a recipe. Raises UserError for a source that holds none."""

    def __init__(self, sources: Sequence[PhotoSource], where: str) -> None:
        self._sources = [(source, _find(source, f"{where}.{i}")) for i, source in enumerate(sources)]
        self.unreadable: Counter[str] = Counter()
        self.summary = _missing(sources)
        if not self._sources:
            raise UserError(f"{where}: at least one source of photographs is needed")

    @property
    def weights(self) -> list[float]:
        """How often each source comes."""
        return [source.weight for source, _ in self._sources]

    @property
    def digest(self) -> str:
        """sha256 over names, sizes and first bytes of all files, and what is listed of them: subjects, kind, theme."""
        total = hashlib.sha256()
        for _, photos in self._sources:
            for photo in photos:
                told = "".join(f" {what}" for what in (photo.subjects, photo.kind, photo.theme) if what)
                total.update(f"{photo.name} {photo.fingerprint}{told}\n".encode())
        return total.hexdigest()

    def choose(self, canvas: tuple[int, int], rng: np.random.Generator, *wanted: Accepts) -> Backdrop:
        """A random crop of a random photograph with the canvas's aspect ratio; of a source the photographs that the first
        of ``wanted`` takes which takes any. Raises Undrawable where none does, or the photograph cannot be read."""
        source, photos = self._sources[choose(rng, self.weights)]
        for accepts in wanted:
            if accepted := [photo for photo in photos if accepts(photo.kind, photo.theme)]:
                photos = accepted
                break
        else:
            if wanted:
                raise Undrawable("no photograph of this source suits the text")
        file = photos[int(rng.integers(len(photos)))]
        try:
            photo = _decode(file)
        except (OSError, ValueError) as error:
            self.unreadable[file.name] += 1
            raise Undrawable(f"the photograph {file.name} cannot be read: {error}") from None
        w, h = canvas
        scale = min(photo.width / w, photo.height / h)
        if min(photo.size) < _MIN_SIDE:
            raise Undrawable(f"the photograph {file.name} has only {photo.width} x {photo.height} px")
        scale *= rng.uniform(0.7, 1.0)
        cut = (w * scale, h * scale)
        left, top = rng.uniform(0, photo.width - cut[0]), rng.uniform(0, photo.height - cut[1])
        box = (left, top, left + cut[0], top + cut[1])
        return Backdrop(
            *(photo, box, canvas, f"photo:{file.name}@{file.fingerprint[:12]}", file.license or source.license),
            file.subjects,
            file.kind,
            file.theme,
            _is_gray(file),
        )


@dataclass(frozen=True)
class _Photo:
    """A picture file, or row ``row`` of row group ``group`` of a Parquet file. ``fingerprint``: of its content, hex."""

    name: str
    path: Path
    fingerprint: str
    group: int = -1
    row: int = -1
    license: str | None = None
    subjects: tuple[Box, ...] = ()  # fractions of width and height
    kind: Kind | None = None  # None: not listed, so not known
    theme: Theme | None = None

    def read(self) -> bytes:
        """The bytes of the picture's file."""
        if self.group < 0:
            return self.path.read_bytes()
        return _row_group(self.path, self.group)[self.row]["bytes"]


def _find(source: PhotoSource, where: str) -> list[_Photo]:
    if source.collection:
        return _installed(source, where)
    path = Path(source.path).expanduser()
    if source.package is not None:
        path = package_folder(source.package, f"{where}.package") / path
    if not path.exists():
        raise UserError(f"{where}.path: {path} does not exist")
    if (path / "dataset.json").is_file():
        return _rows(path, where)
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{where}.path: the folder {path} holds no picture; looked for {', '.join(_SUFFIXES)}")
    return [_Photo(file.name, file, _fingerprint(file)) for file in files]


def _installed(source: PhotoSource, where: str) -> list[_Photo]:
    found = [
        _Photo(
            *(one.name, file, _fingerprint(file)),
            license=one.license,
            subjects=one.subjects,
            kind=one.kind,
            theme=one.theme,
        )
        for package, one in listed(source.licenses, source.kinds)
        if (file := package.file(one))
    ]
    if not found:
        kinds = f" of kinds {', '.join(source.kinds)}" if source.kinds else ""
        raise UserError(f"{where}.collection: no photograph{kinds} is installed; make photographs")
    return found


def _missing(sources: Sequence[PhotoSource]) -> str | None:
    """What to say of listed photographs that are not installed; None where there is none."""
    asked = {
        one.name: package.file(one) for s in sources if s.collection for package, one in listed(s.licenses, s.kinds)
    }
    lacking = sum(file is None for file in asked.values())
    return (
        f"{lacking} of {len(asked)} photographs of the collection are not installed: make photographs"
        if lacking
        else None
    )


def _outside(subject: Box, size: tuple[int, int], cut: tuple[float, float, float, float]) -> float:
    """How much of a subject, given in fractions of a photograph of ``size`` px, lies outside of a cut (px)."""
    x0, y0, x1, y1 = (v * size[k % 2] for k, v in enumerate(subject))
    shown = max(min(x1, cut[2]) - max(x0, cut[0]), 0.0) * max(min(y1, cut[3]) - max(y0, cut[1]), 0.0)
    return 1 - shown / ((x1 - x0) * (y1 - y0))


def _seen(
    subjects: Sequence[Box], size: tuple[int, int], cut: tuple[float, float, float, float], canvas: tuple[int, int]
) -> tuple[Box, ...]:
    """The subjects of a photograph of ``size`` px, given in fractions of it, as far as they show on the canvas, in its px."""
    sx, sy = canvas[0] / (cut[2] - cut[0]), canvas[1] / (cut[3] - cut[1])
    shown = []
    for left, top, right, bottom in subjects:
        x0, x1 = (min(max((x * size[0] - cut[0]) * sx, 0.0), float(canvas[0])) for x in (left, right))
        y0, y1 = (min(max((y * size[1] - cut[1]) * sy, 0.0), float(canvas[1])) for y in (top, bottom))
        if x1 > x0 and y1 > y0:
            shown.append((x0, y0, x1, y1))
    return tuple(shown)


def _rows(dataset: Path, where: str) -> list[_Photo]:
    """The pictures of a dataset that are no synthetic ones and show no text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    for path in sorted((dataset / "data").glob("*.parquet")):
        try:
            file = pq.ParquetFile(path)
            for group in range(file.num_row_groups):
                rows = file.read_row_group(
                    group, columns=["id", "text_level", "domain", "license", "sha256"]
                ).to_pylist()
                found += [
                    _Photo(row["id"], path, row["sha256"] or row["id"], group, number, row["license"])
                    for number, row in enumerate(rows)
                    if row["text_level"] == 0 and row["domain"] != "synthetic"
                ]
        except (OSError, pa.ArrowException, KeyError) as error:
            raise UserError(f"{where}.path: {path} cannot be read: {str(error).splitlines()[0]}") from None
    if not found:
        raise UserError(f"{where}.path: the dataset {dataset} holds no photograph without text (text_level 0)")
    return found


@lru_cache(maxsize=4)
def _row_group(path: Path, group: int) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read_row_group(group, columns=["image"])["image"].to_pylist()


@lru_cache(maxsize=128)  # all of the collection: at most 2 MB each, for most are 1,024 px wide
def _decode(photo: _Photo) -> Image.Image:
    """RGB, upright, at most _MAX_SIDE px on a side. Raises DecodeError (a ValueError) or OSError."""
    picture = Image.fromarray(decode(photo.read(), _LIMITS))
    picture.thumbnail((_MAX_SIDE, _MAX_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return picture


@lru_cache(maxsize=4096)
def _is_gray(photo: _Photo) -> bool:
    pixels = np.asarray(_decode(photo))[::_GRID, ::_GRID]
    return float(np.ptp(pixels, axis=2).mean()) < _COLORED


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return _digest(head, path.stat().st_size)


def fingerprint_of(data: bytes) -> str:
    """The hex digest that stands for a file of these bytes in the ``parents`` of what was made of it."""
    return _digest(data[:_HEAD_BYTES], len(data))


def _digest(head: bytes, length: int) -> str:
    return hashlib.sha256(head + str(length).encode()).hexdigest()
