"""A plain folder of pictures, read as a packed dataset is: ``open_data("my/pictures")``.

    files ──folder_scan──> items ──folder_files──> manifest (a row a picture), digest
    rows  ──read──> bytes of picture, references and mask; captions or instructions

What cannot be trained on is left out and told in ``remarks``: no valid text, no picture, a mask of another size. Columns
have the names and types of ``pipeline/schema.py``; what only the pipeline finds out is null.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import UserError
from configs.prompts import CLOSING_TOKENS
from configs.storage import ObjectPath, location
from configs.storage.client import before_work
from pipeline import schema
from pipeline.dataset import INDEX, Dataset, Pictures, Texts
from pipeline.predicate import parse
from pipeline.tokens import finish_captions
from trainer.data.folder_config import read_folders
from trainer.data.folder_files import Picture, read_pictures, stored_image
from trainer.data.folder_remarks import remarks_on
from trainer.data.folder_scan import scan

_NO_PLACE = ("shard", "row_group", "row", "image_offset", "ref_spans")  # columns about files of a packed dataset

_OWN = {
    "regularization": pa.bool_(),
    "loss_weight": pa.float32(),
    "masked": pa.bool_(),
    "n_instructions": pa.int32(),
    "text_tokens": pa.int32(),
    "ref_sizes": pa.list_(pa.int32()),
    "quoted_box": pa.list_(pa.int32()),
}
"""Manifest columns beside the schema's: a mark and a factor on the loss by folder, whether there is a mask, valid
instructions, Qwen tokens of the longest text and what closes the template, w, h of each reference in turn, and the box
around quoted text: the whole picture, for nobody has looked where it stands."""


class PictureFolder:
    """Folders of pictures as one dataset. ``remarks``: lines for the user on what is in it and what is left out."""

    def __init__(self, path: Path, pictures: Sequence[Picture], remarks: Sequence[str]) -> None:
        self.path, self.remarks = path, tuple(remarks)
        self._pictures = list(pictures)
        self._rows = [_row(picture) for picture in self._pictures]

    @classmethod
    def open(cls, path: str | Path) -> PictureFolder:
        """``path``: a folder, or a YAML of folders. Raises UserError where there is nothing to train on."""
        path = Path(path)
        pictures: list[Picture] = []
        remarks: list[str] = []
        for folder, config in read_folders(path):
            found = scan(folder, config)
            read, problems = read_pictures(found.items, config)
            pictures += read
            remarks += remarks_on(folder, config, found, read, problems)
        if not pictures:
            raise UserError(
                f"--data {path}: holds no picture that can be trained on: {'; '.join(remarks) or 'there is none'}"
            )
        return cls(path, pictures, remarks)

    @property
    def rows(self) -> int:
        """Number of pictures."""
        return len(self._pictures)

    @functools.cached_property
    def digest(self) -> str:
        """sha256 over the names, contents, texts, repeats and weights of all pictures, references and masks."""
        parts = [
            [p.item.uri, p.sha256, p.others, p.item.texts, p.item.repeats, p.config.weight, p.config.regularization]
            for p in self._pictures
        ]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()

    @property
    def manifest_schema(self) -> pa.Schema:
        return _manifest_schema()

    def manifest(self, columns: Sequence[str] | None = None, where: str | None = None) -> pa.Table:
        """As ``Dataset.manifest``. Raises UserError for an unknown column or a wrong expression."""
        arrow = self.manifest_schema
        unknown = sorted(set(columns or ()) - set(arrow.names))
        if unknown:
            raise UserError(f"--data {self.path}: a folder's manifest has no column {', '.join(unknown)}")
        flat = [{name: row.get(name) for name in arrow.names} for row in self._rows]
        table = pa.Table.from_pylist(flat, schema=arrow)
        if where:
            table = table.filter(parse(where, "where").evaluate(table), null_selection_behavior="drop")
        return table if columns is None else table.select(list(columns))

    def manifest_parts(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """As ``Dataset.manifest_parts``: there is one."""
        yield self.manifest(columns)

    def reading_costs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As ``Dataset.reading_costs``: a file each, so nothing is read that is not asked for."""
        own = np.array([picture.bytes_len for picture in self._pictures], dtype=np.int64)
        return own, np.arange(self.rows), np.ones(self.rows, dtype=bool)

    def read(self, rows: Sequence[int] | np.ndarray, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The pictures with these numbers, in the order asked for; ``mask``: bytes of a picture, or null.

        Raises IndexError for a number out of range, RunFailed for a file that is gone or has changed since ``open``.
        """
        numbers = [int(n) for n in rows]
        if numbers and not 0 <= min(numbers) <= max(numbers) < self.rows:
            raise IndexError(f"{self.path}: rows are 0..{self.rows - 1}, asked for {min(numbers)}..{max(numbers)}")
        return [self._sample(n, None if columns is None else set(columns)) for n in numbers]

    def read_pictures(
        self, rows: Sequence[int] | np.ndarray, references: Sequence[bool] | np.ndarray | None = None
    ) -> list[Pictures]:
        """The bytes of picture and references of these samples, in the order asked for. Raises as ``read``.

        ``references``: of which samples the references are wanted, None: of all.
        """
        wanted = [True] * len(rows) if references is None else references
        found = []
        for row, whole in zip(rows, wanted, strict=True):
            (sample,) = self.read([int(row)], ["image", "references"] if whole else ["image"])
            found.append(Pictures(sample["image"]["bytes"], tuple(r["bytes"] for r in sample.get("references", ()))))
        return found

    def read_texts(self, rows: Sequence[int] | np.ndarray) -> list[Texts]:
        """Captions and instructions of these samples, in the order asked for."""
        columns = ("captions", "instructions")
        return [Texts(*(tuple(t["text"] for t in s[c]) for c in columns)) for s in self.read(rows, columns)]

    def file_of(self, row: int, what: str) -> Path:
        """The file that is a row's ``image``, ``mask`` or ``references.N``."""
        item = self._pictures[row].item
        if what == "mask" and item.mask:
            return item.mask
        return item.references[int(what.partition(".")[2])] if what.startswith("references") else item.path

    def _sample(self, number: int, columns: set[str] | None) -> dict[str, Any]:
        picture, sample = self._pictures[number], self._rows[number]
        item = picture.item
        hashes = dict(zip(item.others, picture.others, strict=True))
        files = {
            "image": lambda: stored_image(item.path, picture.sha256),
            "references": lambda: [stored_image(path, hashes[path]) for path in item.references],
            "mask": lambda: stored_image(item.mask, hashes[item.mask])["bytes"] if item.mask else None,
        }
        wanted = set(files) | set(sample) if columns is None else columns
        return {name: files[name]() if name in files else sample.get(name) for name in wanted}


Data = Dataset | PictureFolder
"""What a training reads."""


def open_data(path: str | Path) -> Data:
    """What ``--data`` names: a packed dataset, or else a folder of pictures or a YAML of folders. Raises UserError."""
    path = location(path)
    if isinstance(path, ObjectPath):
        with before_work("--data"):
            return Dataset.open(path)
    packed = (path / INDEX).exists() or (path / "manifest").is_dir() or (path / "data").is_dir()
    return Dataset.open(path) if packed else PictureFolder.open(path)


def names_in(data: Data) -> Callable[[int], str] | None:
    """What the user calls a row: of a folder the path of its picture. A packed dataset's rows have no such names."""
    return (lambda row: str(data.file_of(row, "image"))) if isinstance(data, PictureFolder) else None


@functools.cache
def _manifest_schema() -> pa.Schema:
    base = schema.arrow([name for name in schema.MANIFEST if name not in _NO_PLACE])
    new = [pa.field(name, kind) for name, kind in _OWN.items() if name not in base.names]
    return pa.schema([*base, *new], metadata=base.metadata)


def _row(picture: Picture) -> dict[str, Any]:
    item, header = picture.item, picture.header
    texts = finish_captions({"text": text, "source": "raw", "invalid": None} for text in item.texts)
    edit = bool(item.references)
    none = {"captions": [], "n_captions": 0, "caption_languages": None}
    return {
        "id": hashlib.sha256(f"folder {picture.config.path} {item.uri}".encode()).hexdigest()[:32],
        "origin": "folder",
        "source": picture.config.path,
        "uri": item.uri,
        "width": header.width,
        "height": header.height,
        "orientation": header.orientation,
        "format": header.format,
        "bytes_len": picture.bytes_len,
        "sha256": picture.sha256,
        "license": "unknown",
        "task": "ti2i" if edit else "t2i",
        **(none if edit else texts),
        "instructions": texts["captions"] if edit else [],
        "n_instructions": len(item.texts) if edit else 0,
        "text_tokens": max(caption["tokens"] for caption in texts["captions"]) + CLOSING_TOKENS,
        "ref_sizes": [side for size in picture.reference_sizes for side in size],
        "stage_from": 1,
        "stage_to": 7,  # somebody chose these pictures: every stage's predicate takes them
        "repeats": item.repeats,
        "regularization": picture.config.regularization,
        "loss_weight": picture.config.weight,
        "masked": item.mask is not None,
        "quoted_box": [0, 0, header.width, header.height] if picture.quotes and not edit else None,
    }
