"""What training asks about a row's texts: may it be trained on them, how long are they, which part of the picture do they quote.

    captions, instructions (judged) ──> n_instructions, text_tokens
    with text_regions ────────────────> quoted_box

Pack stores the answers in the shards; of a dataset packed before it did, they are computed from the same columns when
somebody asks. Imports pyarrow only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from configs.prompts import CLOSING_TOKENS
from configs.quotes import quotations, quotes
from pipeline.parquet import read_schema, read_table
from pipeline.schema import TRAINABLE, arrow

_SOURCES = ("captions", "instructions", "text_regions", "width", "height")
"""Columns of a shard that the answers follow from."""


def trainable(table: pa.Table) -> pa.Table:
    """The columns of schema.TRAINABLE of a table with the texts, regions and size."""
    valid = {name: [_valid(row) for row in table[name].to_pylist()] for name in ("captions", "instructions")}
    texts = [[*one, *other] for one, other in zip(valid["captions"], valid["instructions"], strict=True)]
    columns = {
        "n_instructions": [len(row) for row in valid["instructions"]],
        "text_tokens": [max((_tokens(t) for t in row), default=0) for row in texts],
        "quoted_box": _boxes(table, [[t["text"] for t in row] for row in texts]),
    }
    return pa.table({f.name: pa.array(columns[f.name], f.type) for f in arrow(list(TRAINABLE))})


def _valid(texts: Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    return [t for t in texts or () if not t["invalid"]]


def _boxes(table: pa.Table, texts: Sequence[Sequence[str]]) -> list[tuple[int, int, int, int] | None]:
    """``quoted_box`` of each row. ``texts``: its valid ones."""
    boxes: list[tuple[int, int, int, int] | None] = [None] * len(texts)
    quoting = [number for number, row in enumerate(texts) if quotes(row)]  # few, and regions are many objects
    asked = table.select(["text_regions", "width", "height"]).take(pa.array(quoting, pa.int64())).to_pylist()
    for number, row in zip(quoting, asked, strict=True):
        boxes[number] = quoted_box(texts[number], row["text_regions"] or (), (row["width"], row["height"]))
    return boxes


def shard_columns(path: Path, names: Sequence[str]) -> pa.Table:
    """Columns of a shard, those of schema.TRAINABLE computed where it was packed before it had them."""
    there = read_schema(path).names
    stored = [n for n in names if n in there or n not in TRAINABLE]
    table = read_table(path, columns=stored) if stored else None
    if len(stored) == len(names) and table is not None:
        return table
    answers = trainable(read_table(path, columns=_SOURCES))
    return pa.table({n: answers[n] if table is None or n not in stored else table[n] for n in names})


def quoted_box(
    texts: Sequence[str], regions: Sequence[Mapping[str, Any]], size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom in px around all regions whose text one of ``texts`` quotes; None where none does.

    A region counts when a quotation holds its text or is a part of it; case and white space do not matter. Lines decide
    where there are any: the letters of a quotation are in other lines, too.
    """
    spans = {_plain(part) for part in quotations(texts)}
    lines = [r for r in regions if r["level"] == "line"] or regions
    quads = [r["quad"] for r in lines if any(_quotes(span, r["text"] or "") for span in spans)]
    if not quads:
        return None
    xs, ys = [x for quad in quads for x in quad[0::2]], [y for quad in quads for y in quad[1::2]]
    left, top = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
    right, bottom = min(size[0], math.ceil(max(xs))), min(size[1], math.ceil(max(ys)))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _tokens(text: Mapping[str, Any]) -> int:
    """With the closing ones. Bytes bound the tokens of a text that nobody has counted: a token has one at least."""
    return (len(text["text"].encode()) if text["tokens"] is None else text["tokens"]) + CLOSING_TOKENS


def _quotes(span: str, region: str) -> bool:
    """``span``: plain."""
    plain = _plain(region)
    if not plain:
        return False
    return plain in span or (len(span) > 1 and span in plain) or span in region.casefold().split()


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()
