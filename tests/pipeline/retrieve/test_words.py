"""Rows that hold all of some words, in captions or in the text that they show."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest

from configs import UserError
from pipeline import schema
from pipeline.retrieve.words import matches, words_of

ROWS = [
    ("a", ["A black cat on a sofa", "a sofa"], None),
    ("b", ["concatenate strings"], None),
    ("c", ["cat"], "OPEN"),
    ("d", None, "黑猫警长"),
    ("e", None, None),
    ("f", ["ＣＡＴ　food"], None),
]


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rows = [
        {"id": id_, "captions": captions and [{"text": text} for text in captions], "text": text}
        for id_, captions, text in ROWS
    ]
    fields = [pa.field(name, schema.COLUMNS[name].type) for name in ("id", "captions", "text")]
    return pl.DataFrame(pa.Table.from_pylist(rows, schema=pa.schema(fields)))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("cat", ["c", "f", "a"]),
        ("CAT open", ["c"]),
        ("猫", ["d"]),
        ("黑猫 警长", ["d"]),
        ("sofa cat", ["a"]),
        ("c.t", []),
        ("dog", []),
    ],
)
def test_rows_hold_all_the_words_the_most_about_them_first(table: pl.DataFrame, words: str, found: list[str]) -> None:
    scored = matches(table, words_of(words)).sort("score", descending=True)
    assert scored["id"].to_list() == found
    assert scored["score"].is_between(0, 1).all()


def test_no_words_are_refused() -> None:
    with pytest.raises(UserError, match="--text '  '"):
        words_of("  ")
