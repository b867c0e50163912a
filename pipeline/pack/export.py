"""``python -m pipeline export DATASET OUT``: a dataset as tars, as WebDataset and what reads its form want them.

    00000.tar    ID.jpg   ID.txt (first caption)   ID.json (all scalars, captions, instructions)   ID.ref0.png ...

Rows keep the dataset's order. Tars hold no time and no user, so that equal rows are equal bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import UserError
from configs.files import created_once, refuse_url
from pipeline.dataset import Dataset, find_dataset
from pipeline.predicate import parse
from pipeline.progress import progress

_ENDINGS = {"JPEG": "jpg", "MPO": "jpg", "JPEG2000": "jp2", "TIFF": "tif"}
"""Of formats whose name is not their ending."""
_BATCH = 64
"""Rows that are in memory together; chosen."""
_SHARD_ONLY = ("captions", "instructions", "text_regions", "references", "image", "parents", "extra")
_PLACES = ("shard", "row_group", "row", "image_offset", "ref_spans", "text_spans", "fails")
"""Columns of the manifest that mean nothing outside of the dataset."""


def export_webdataset(path: Path, out: Path, where: str | None = None, megabytes: int = 1000) -> None:
    """Write the dataset at ``path``, or rows of it, to tars of about ``megabytes`` (10^6) in the new folder ``out``.

    Raises UserError for a wrong argument.
    """
    refuse_url(out, "OUT")
    dataset = find_dataset(path)
    if megabytes < 1:
        raise UserError(f"--megabytes: expected 1 or more, found {megabytes}")
    if out.exists():
        raise UserError(f"OUT '{out}': it is there already; expected a new folder")
    rows = _matching(dataset, where)
    if not len(rows):
        raise UserError(f"--where '{where}': is true for no sample of {dataset.path}")
    with created_once(out) as folder, progress("export", len(rows)) as counter:
        folder.mkdir()
        tars = _Tars(folder, megabytes * 10**6)
        for sample in _samples(dataset, rows):
            tars.add(sample)
            counter.add(1)
        tars.close()
    print(f"{out}: {len(rows):,} samples in {tars.count:,} tars", flush=True)


def _matching(dataset: Dataset, where: str | None) -> np.ndarray:
    if where is None:
        return np.arange(dataset.rows)
    predicate = parse(where, "--where")
    predicate.arrow(dataset.manifest_schema)
    verdict = predicate.evaluate(dataset.manifest(list(predicate.columns) or ["id"]))
    return np.flatnonzero(verdict.fill_null(False).to_numpy(zero_copy_only=False))


def _samples(dataset: Dataset, rows: np.ndarray) -> Iterator[dict[str, Any]]:
    """Rows of the manifest with those columns of the shards that are exported, too."""
    facts = dataset.manifest([n for n in dataset.manifest_schema.names if n not in _PLACES])
    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        scalars = facts.take(pa.array(part)).to_pylist()
        for scalar, stored in zip(scalars, dataset.read(part, _SHARD_ONLY), strict=True):
            yield scalar | stored


class _Tars:
    """Tars of about ``most`` bytes, one open at a time."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        self._tar: tarfile.TarFile | None = None
        self._written = 0
        self.count = 0

    def add(self, sample: dict[str, Any]) -> None:
        members = dict(_members(sample))
        size = sum(len(data) for data in members.values())
        if self._tar is None or self._written + size > self._most:
            self.close()
            self._tar = tarfile.open(self._folder / f"{self.count:05d}.tar", "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
            self._written, self.count = 0, self.count + 1
        for ending, data in members.items():
            info = tarfile.TarInfo(f"{sample['id']}.{ending}")
            info.size, info.mode = len(data), 0o644
            self._tar.addfile(info, io.BytesIO(data))
        self._written += size

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()


def _members(sample: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Ending and content of each member."""
    yield _ending(sample["format"]), sample["image"]["bytes"]
    captions = _valid(sample["captions"])
    if captions:
        yield "txt", captions[0].encode()
    about = {k: v for k, v in sample.items() if k not in ("image", "references", "extra") and v is not None}
    about |= {"captions": captions, "instructions": _valid(sample["instructions"])}
    if sample["extra"]:
        about["extra"] = json.loads(sample["extra"])
    yield "json", json.dumps(about, ensure_ascii=False, sort_keys=True).encode()
    for number, reference in enumerate(sample["references"] or ()):
        name = Path(reference["path"] or "").suffix.lstrip(".").lower() or "png"
        yield f"ref{number}.{name}", reference["bytes"]


def _valid(texts: list[dict[str, Any]] | None) -> list[str]:
    return [text["text"] for text in texts or () if not text["invalid"]]


def _ending(format_: str) -> str:
    return _ENDINGS.get(format_, format_.lower())
