"""``python -m pipeline inspect DATASET``: a summary on the terminal and a gallery with the boxes drawn.

Dataset.manifest ──where──> summary.show
                   └──evenly spread rows──> Dataset.read ──> pictures ──> templates/gallery.html.j2
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from configs import UserError
from configs.numbers import number
from configs.storage import ObjectPath, location
from pipeline.dataset import Dataset, find_dataset
from pipeline.predicate import parse
from pipeline.report import summary
from pipeline.report.page import write_page
from pipeline.report.pictures import levels_of
from pipeline.report.samples import sample

_READ = ("id", "uri", "image", "width", "height", "captions", "text_regions")


def inspect_dataset(path: Path, where: str | None = None, limit: int = 60, out: Path | None = None) -> Path:
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
    rows, unknown = _matching(dataset, where)
    manifest = _frame(dataset, rows)
    chosen = spread(len(rows), limit)
    _show(dataset, manifest, where, unknown)
    _gallery(dataset, rows[chosen], manifest[chosen.tolist()], where, len(rows), out)
    print(f"gallery of {len(chosen)} samples: {out}")
    return out


def spread(count: int, limit: int) -> np.ndarray:
    """At most ``limit`` of 0..count-1, evenly spread: a manifest is sorted by strata, all of them should be seen."""
    if count <= limit:
        return np.arange(count)
    return np.arange(limit) * count // limit


def _matching(dataset: Dataset, where: str | None) -> tuple[np.ndarray, int]:
    """Numbers of the rows for which ``where`` is true, and for how many it is unknown."""
    if not dataset.manifest_files:
        return np.arange(0), 0
    if where is None:
        return np.arange(dataset.rows), 0
    predicate = parse(where, "--where")
    predicate.arrow(dataset.manifest_schema)
    columns = list(predicate.columns) or ["id"]
    verdict = predicate.evaluate(dataset.manifest(columns))
    return np.flatnonzero(verdict.fill_null(False).to_numpy(zero_copy_only=False)), verdict.null_count


def _frame(dataset: Dataset, rows: np.ndarray) -> pl.DataFrame:
    if not len(rows):
        return pl.DataFrame()
    frame = pl.from_arrow(dataset.manifest().take(pa.array(rows)))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _show(dataset: Dataset, manifest: pl.DataFrame, where: str | None, unknown: int) -> None:
    notes = []
    if where is not None:
        notes.append(f"where {where}: {number(len(manifest))} of {number(dataset.rows)}")
    if unknown:
        notes.append(f"for {number(unknown)} more the expression is unknown, because a column is null: left out")
    if manifest.is_empty():
        print(f"{dataset.path}: no samples" + "".join(f"\n{note}" for note in notes))
        return
    summary.show(summary.summarize(manifest), str(dataset.path), notes)


def _gallery(
    dataset: Dataset, rows: np.ndarray, facts: pl.DataFrame, where: str | None, matching: int, out: Path
) -> None:
    items = [
        sample(row, fact) for row, fact in zip(dataset.read(rows, _READ), facts.iter_rows(named=True), strict=True)
    ]
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


def _title(path: Path) -> str:
    return f"Dataset of {path.parent.name}" if path.name == "dataset" else f"Dataset {path.name}"


def _lead(dataset: Dataset, matching: int, shown: int) -> str:
    total = f"{number(dataset.rows)} samples in {dataset.path.resolve()}"
    return f"{total}. {number(matching)} of them match, {number(shown)} are shown, evenly spread."
