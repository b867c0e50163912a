"""``python -m pipeline inspect DATASET``: a summary on the terminal and a gallery with the boxes drawn.

manifest/ ──where──> summary.show
            └──evenly spread rows──> Dataset.read, read_pictures ──> samples ──> templates/gallery.html.j2
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from configs import UserError
from configs.numbers import number
from configs.storage import ObjectPath, location
from pipeline.dataset import Dataset, find_dataset, scan
from pipeline.predicate import parse
from pipeline.report import summary
from pipeline.report.page import write_page
from pipeline.report.pictures import SAMPLE_EDGE, Sample, levels_of, sample

_READ = ("id", "uri", "width", "height", "captions", "text_regions")
_FACTS = ("text_language", "text_level", "ocr_score", "stage_from", "stage_to")
_AT_ONCE = 64
"""Pictures that are held with all of their bytes; chosen."""
_MANY, _SMALL_EDGE = 300, 320
"""From more than so many pictures on their copies are smaller, px; chosen: 20 KB each, so that thousands are one page."""


def inspect_dataset(path: Path, where: str | None = None, limit: int = 240, out: Path | None = None) -> Path:
    """Print what is in the dataset at ``path`` and write a gallery of ``limit`` samples; return the gallery's path.

    ``path``: a dataset, or a run that has one. ``where``: only samples for which this expression is true.
    ``out``: by default DATASET.html beside the dataset's folder. Raises UserError for a wrong argument.
    """
    if limit < 0:
        raise UserError(f"--limit: expected 0 or more, found {limit}")
    dataset = find_dataset(path)
    path = dataset.path
    out = location(out) if out else path.resolve().with_name(f"{path.resolve().name}.html")
    if not isinstance(out, ObjectPath) and (not out.parent.is_dir() or out.is_dir()):
        raise UserError(f"--out '{out}': expected a file in an existing folder")
    manifest = _scan(dataset)
    rows, unknown = _matching(manifest, where)
    chosen = rows[spread(len(rows), limit)]
    _show(dataset, manifest, where, rows, unknown)
    _gallery(dataset, manifest, chosen, where, len(rows), out)
    print(f"gallery of {len(chosen)} samples: {out}")
    return out


def spread(count: int, limit: int) -> np.ndarray:
    """At most ``limit`` of 0..count-1, evenly spread: a manifest is sorted by strata, all of them should be seen."""
    if count <= limit:
        return np.arange(count)
    return np.arange(limit) * count // limit


def _scan(dataset: Dataset) -> pl.LazyFrame:
    """The manifest, of which Polars reads what is asked for."""
    if not dataset.manifest_files:
        return pl.LazyFrame({"id": []}, schema={"id": pl.String})
    there = scan(dataset.path)
    if not set(dataset.manifest_schema.names) <= set(there.collect_schema().names()):
        frame = pl.from_arrow(dataset.manifest())  # an older one: what it lacks follows from its shards
        assert isinstance(frame, pl.DataFrame)
        there = frame.lazy()
    return there


def _matching(manifest: pl.LazyFrame, where: str | None) -> tuple[np.ndarray, int]:
    """Numbers of the rows for which ``where`` is true, and for how many it is unknown."""
    if where is None:
        return np.arange(int(manifest.select(pl.len()).collect().item())), 0
    schema = manifest.collect_schema()
    if schema.names() == ["id"]:
        return np.arange(0), 0
    verdict = manifest.select("id", keep=parse(where, "--where").polars(schema)).collect()["keep"]
    return np.flatnonzero(verdict.fill_null(False).to_numpy()), verdict.null_count()


def _show(dataset: Dataset, manifest: pl.LazyFrame, where: str | None, rows: np.ndarray, unknown: int) -> None:
    notes = []
    if where is not None:
        notes.append(f"where {where}: {number(len(rows))} of {number(dataset.rows)}")
    if unknown:
        notes.append(f"for {number(unknown)} more the expression is unknown, because a column is null: left out")
    if not len(rows):
        print(f"{dataset.path}: no samples" + "".join(f"\n{note}" for note in notes))
        return
    matching = manifest.filter(parse(where, "--where").polars(manifest.collect_schema())) if where else manifest
    summary.show(summary.summarize(matching), str(dataset.path), notes)


def _gallery(
    dataset: Dataset, manifest: pl.LazyFrame, rows: np.ndarray, where: str | None, matching: int, out: Path
) -> None:
    items = _samples(dataset, manifest, rows)
    context: dict[str, Any] = {
        "title": _title(dataset.path.resolve()),
        "lead": _lead(dataset, matching, len(items)),
        "where": where,
        "items": items,
        "levels": levels_of(item.picture for item in items),
        "digest": dataset.about.get("digest", ""),
    }
    try:
        write_page(out, "gallery.html.j2", context)
    except OSError as error:
        raise UserError(f"--out '{out}': cannot be written: {error.strerror}") from None


def _samples(dataset: Dataset, manifest: pl.LazyFrame, rows: np.ndarray) -> list[Sample]:
    """Figures of these rows, ``_AT_ONCE`` after the other: the bytes of a picture are hundreds of times its copy's."""
    if not len(rows):
        return []
    index = pl.Series(rows, dtype=pl.UInt32)
    facts = manifest.with_row_index("number").filter(pl.col("number").is_in(index.implode())).select(_FACTS).collect()
    edge = SAMPLE_EDGE if len(rows) <= _MANY else _SMALL_EDGE
    items: list[Sample] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(rows), _AT_ONCE):
            these = rows[start : start + _AT_ONCE]
            pictures = dataset.read_pictures(these, references=np.zeros(len(these), bool))
            stored = dataset.read(these, _READ)
            whole = [row | {"image": {"bytes": one.image}} for row, one in zip(stored, pictures, strict=True)]
            items += pool.map(partial(sample, edge=edge), whole, facts[start : start + _AT_ONCE].to_dicts())
    return items


def _title(path: Path) -> str:
    return f"Dataset of {path.parent.name}" if path.name == "dataset" else f"Dataset {path.name}"


def _lead(dataset: Dataset, matching: int, shown: int) -> str:
    total = f"{number(dataset.rows)} samples in {dataset.path.resolve()}"
    return f"{total}. {number(matching)} of them match, {number(shown)} are shown, evenly spread."
