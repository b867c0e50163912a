"""Scores joined to samples: the table that decisions are made from, and the rows that shards are made of.

    samples/F + scores/*/F ──by row──> one Arrow table per fragment ──> sample_tables(run, columns)

Score files hold one row per sample in the order of samples/F, so joining needs no keys; ids are checked.
Exact text of synthetic pictures takes precedence over what OCR read. Inputs that failed are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from configs.errors import RunFailed
from configs.storage.spans import each
from pipeline import schema
from pipeline.parquet import read_present, read_schema, read_table
from pipeline.schema import Column
from pipeline.store.caption_scores import join_caption_scores
from pipeline.store.commit import committed
from pipeline.store.ledger import fragments, listed_sources
from pipeline.store.run_folder import RunFolder

if TYPE_CHECKING:
    import polars as pl

FRAGMENT, FRAGMENT_ROW = "fragment", "fragment_row"
"""Where a row of the table lies in samples/: file stem and row number."""


def scored_by(run: RunFolder) -> list[str]:
    """Names of the annotators that have scored something in this run."""
    return sorted(path.name for path in (run.path / "scores").glob("*") if path.is_dir())


def own_columns(run: RunFolder) -> list[Column]:
    """Columns of committed scores that schema.py lacks, by name: annotators from outside declared them."""
    return own_of(stored_schemas(run))


def stored_schemas(run: RunFolder) -> dict[str, pa.Schema]:
    """Annotator -> what its scores hold."""
    firsts = {name: min(committed(run.scores(name, "x").parent), default="") for name in scored_by(run)}
    return score_schemas(run, firsts)


def score_schemas(run: RunFolder, fragments: Mapping[str, str]) -> dict[str, pa.Schema]:
    """Annotator -> what its scores hold. ``fragments``: one that each has scored, or nothing."""
    known = {name: fragment for name, fragment in fragments.items() if fragment}
    read = each(lambda item: read_schema(run.scores(*item)), known.items(), run.path)
    return dict(zip(known, read, strict=True))


def own_of(schemas: Mapping[str, pa.Schema]) -> list[Column]:
    """As ``own_columns``. ``schemas``: annotator -> what its scores hold."""
    found: dict[str, Column] = {}
    for annotator, arrow in sorted(schemas.items()):
        known = {"id", schema.state_column(annotator), *schema.COLUMNS}
        for field in arrow:
            if field.name not in known:
                meaning = (field.metadata or {}).get(b"meaning", b"").decode()
                found[field.name] = Column(field.name, field.type, meaning)
    return [found[name] for name in sorted(found)]


def fragment_names(run: RunFolder) -> list[str]:
    """Fragments of the run in ledger order: sources by name, then by number, those of what is tried again last."""
    return [fragment.name for name in listed_sources(run.ledgers) for fragment in fragments(run.ledger(name), name)]


def fragment_table(run: RunFolder, fragment: str, columns: Sequence[str]) -> pa.Table:
    """``columns`` (and id) of the samples of one fragment with their scores; failed rows are still in it.

    Columns that nobody filled are null. Raises RunFailed when a score file does not belong to its samples.
    """
    return _fragment_table(run, fragment, columns, scored_by(run), own_columns(run))


def fragment_table_of(
    run: RunFolder, fragment: str, columns: Sequence[str], schemas: Mapping[str, pa.Schema]
) -> pa.Table:
    """As ``fragment_table``. ``schemas``: annotator -> what its scores hold, so that only those with one of ``columns``
    are opened."""
    filling = [name for name, arrow in schemas.items() if {"id", *arrow.names} & ({*columns} - {"id"})]
    return _fragment_table(run, fragment, columns, sorted(filling), own_of(schemas))


def _fragment_table(
    run: RunFolder, fragment: str, columns: Sequence[str], annotators: Sequence[str], own: Sequence[Column]
) -> pa.Table:
    stored = [n for n in columns if n in schema.COLLECTED and n != "id"]
    samples = read_present(run.samples(fragment), ["id", *stored])  # older files lack columns that came later
    assert samples is not None
    filled: dict[str, pa.ChunkedArray] = {n: samples[n] for n in stored if n in samples.column_names}
    wanted = ["id", *columns, *(schema.CAPTION_SCORES if "captions" in columns else ())]
    for annotator in annotators:
        path = run.scores(annotator, fragment)
        scores = read_present(path, wanted)
        names = [n for n in scores.column_names if n != "id"] if scores is not None else []
        if scores is None or not names:
            continue
        _check_rows(samples, scores, path)
        for name in names:
            filled[name] = _first_of(filled[name], scores[name]) if name in filled else scores[name]
    if "captions" in filled:
        filled["captions"] = join_caption_scores(filled["captions"], filled)
    unfilled = [n for n in columns if n not in filled and n != "id"]
    types = {c.name: c for c in own}
    empty = {n: pa.nulls(len(samples), _type(n, types)) for n in unfilled}
    return pa.table({"id": samples["id"], **{n: filled.get(n, empty.get(n)) for n in columns if n != "id"}})


def scalar_schema(annotators: Sequence[str], columns: Sequence[Column]) -> pa.Schema:
    """Every column of the table but the nested ones: of the schema, of ``columns``, and a state per annotator."""
    own = [c for c in columns if c.name not in schema.COLUMNS and not c.nested]
    ours = [n for n in schema.STORED if n not in (*schema.NESTED, *schema.TRAINABLE)]  # those are filled when packing
    return schema.arrow([*ours, *sorted(own, key=lambda c: c.name)], annotators)


def planned_columns(annotators: Mapping[str, Sequence[Column]]) -> pl.Schema:
    """The Polars schema of the table that rules see when ``annotators`` (name -> its columns) have run."""
    import polars as pl

    columns = [column for filled in annotators.values() for column in filled]
    arrow = scalar_schema(list(annotators), columns)
    for name in schema.BEFORE_RULES:
        arrow = arrow.append(pa.field(name, schema.COLUMNS[name].type))
    frame = pl.from_arrow(arrow.empty_table())
    assert isinstance(frame, pl.DataFrame)
    return frame.schema


def sample_tables(run: RunFolder, columns: Sequence[str]) -> Iterator[pa.Table]:
    """These columns, and place, of the samples that did not fail, a table for each fragment in turn.

    ``fragment`` and ``fragment_row`` say where each lies in samples/.
    """
    scored, own = scored_by(run), own_columns(run)
    return each(lambda name: sample_part(run, name, columns, scored, own)[0], fragment_names(run), run.path)


def sample_part(
    run: RunFolder, fragment: str, columns: Sequence[str], annotators: Sequence[str], own: Sequence[Column]
) -> tuple[pa.Table, int]:
    """(``columns`` and place of the samples of a fragment that did not fail, how many there are with those that did)."""
    table = _fragment_table(run, fragment, columns, annotators, own)
    keep = ~np.isin(np.asarray(table["id"].to_pylist(), dtype=str), _failed_ids(run, fragment))
    rows = table.append_column(FRAGMENT, pa.repeat(pa.scalar(fragment), len(table)))
    rows = rows.append_column(FRAGMENT_ROW, pa.array(np.arange(len(table)), pa.int32()))
    return rows.filter(pa.array(keep, pa.bool_())), len(table)


def _failed_ids(run: RunFolder, fragment: str) -> list[str]:
    """Ids of the inputs of a fragment that ended in failures/."""
    return read_table(run.failures(fragment), columns=["id"])["id"].to_pylist()


def _type(name: str, own: Mapping[str, Column]) -> pa.DataType:
    column = schema.COLUMNS.get(name) or own.get(name)
    return column.type if column else pa.string()


def _check_rows(samples: pa.Table, scores: pa.Table, path: Path) -> None:
    if not scores["id"].equals(samples["id"]):
        raise RunFailed(
            f"{path} does not hold the rows of its samples file: it was changed from outside; delete it and run again"
        )


def _first_of(exact: pa.ChunkedArray, read: pa.ChunkedArray) -> pa.ChunkedArray:
    """``exact`` where it is not null, else ``read``; by position, because Arrow's coalesce does not take nested types."""
    both = pa.concat_arrays([exact.combine_chunks(), read.combine_chunks()])
    rows = np.arange(len(exact))
    there = np.asarray(exact.is_valid())
    return pa.chunked_array([both.take(pa.array(np.where(there, rows, rows + len(exact))))])
