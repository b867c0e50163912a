"""``python -m pipeline retrieve``: find rows of a finished run, for the next decision to use.

--text WORDS  ──captions, read text──┐
--image FILE  ──stored embeddings────┴──> the best K ──> RUN/retrieved/NAME.parquet ──decide──> column retrieved
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from configs import UserError
from configs.pictures import DecodeError, Limits, decode, small
from pipeline.annotators.classify import ClassifyAnnotator
from pipeline.engine.redecide import open_finished
from pipeline.report.found import SHOWN, write_found
from pipeline.retrieve.nearest import nearest
from pipeline.retrieve.words import TEXTS, matches, words_of
from pipeline.store.embeddings import embedded_with, embeddings
from pipeline.store.lock import run_lock
from pipeline.store.removed import read_removals
from pipeline.store.retrieved import check_name, retrieved_rows, write_retrieved
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import sample_tables

_LINES = 5
"""Printed of what was found; chosen."""

_TOLD = ("text_language", "text_level", "ocr_score")


def retrieve(
    path: Path, name: str, top: int, text: str | None = None, images: Sequence[Path] = (), wait: bool = False
) -> None:
    """Find the ``top`` rows for ``text`` or for ``images`` and note them under ``name``. Raises UserError."""
    check_name(name)
    if top < 1:
        raise UserError(f"--top {top}: at least 1")
    run, config = open_finished(path, ())
    queries = _queries(run, images, config.limits) if images else None
    with run_lock(run.lock, wait):
        gone, stored = read_removals(run).ids, embeddings(run, ClassifyAnnotator.name)
        found = _by_words(run, text or "") if queries is None else nearest(stored, queries, top + len(gone))
        best = heapq.nsmallest(top, (f for f in found if f[0] not in gone), key=lambda f: (-f[1], f[0]))
        noted = write_retrieved(run, name, best)
    facts = _facts(run, best)
    uris = dict(facts.select("id", "uri").iter_rows())
    print(
        *(f"{score:8.3f}  {uris[id_]}" for id_, score in best[:_LINES]), f"{len(best):,} rows found: {noted}", sep="\n"
    )
    print(f"pictures: {write_found(run, name, best, facts)}")
    print(f"python -m pipeline decide {path} joins them; rules and --where find them by: {_found_by(run, name)}")


def _found_by(run: RunFolder, name: str) -> str:
    """The condition that finds the rows of a retrieval, whichever others found them, too."""
    values = sorted({value for value in retrieved_rows(run)["retrieved"] if name in value.split("+")} or {name})
    return f"retrieved == '{name}'" if values == [name] else f"retrieved in ({', '.join(map(repr, values))})"


def _by_words(run: RunFolder, text: str) -> Iterator[tuple[str, float]]:
    words = words_of(text)
    for table in sample_tables(run, TEXTS):
        yield from matches(pl.DataFrame(table), words).iter_rows()


def _queries(run: RunFolder, images: Sequence[Path], limits: Limits) -> np.ndarray:
    """float16 (Q, 1280) of the pictures that are asked for."""
    annotator = ClassifyAnnotator()
    version = embedded_with(run, annotator.name)
    if version is None:
        raise UserError(
            f"RUN '{run.path}': it has no embeddings to compare pictures with; add {{kind: classify}} to annotate in "
            "its config and give the run command again"
        )
    if version != annotator.version or (reason := annotator.missing()):
        why = f"its embeddings are of version {version}" if version != annotator.version else reason
        raise UserError(f"RUN '{run.path}': pictures cannot be compared with it here: {why}")
    pixels = [_pixels(image, limits) for image in images]
    annotator.setup()
    return annotator.embed([small(p, annotator.thumbnail_edge) for p in pixels])


def _pixels(image: Path, limits: Limits) -> np.ndarray:
    try:
        return decode(image.read_bytes(), limits)
    except OSError as error:
        raise UserError(f"--image '{image}': {error.strerror}") from None
    except DecodeError as error:
        raise UserError(f"--image '{image}': {error}") from None


def _facts(run: RunFolder, best: Sequence[tuple[str, float]]) -> pl.DataFrame:
    """What the page and the terminal say of the first rows."""
    wanted = pl.Series([id_ for id_, _ in best[:SHOWN]], dtype=pl.String)
    tables = (pl.DataFrame(table) for table in sample_tables(run, ["uri", *_TOLD]))
    return pl.concat([table.filter(pl.col("id").is_in(wanted.implode())) for table in tables])
