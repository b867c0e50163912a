"""Expressions: Arrow and Polars agree on every row, nulls included; wrong ones are one line."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import UserError
from pipeline.predicate import parse

TABLE = pa.table(
    {
        "a": pa.array([1, None, 3], pa.int8()),
        "b": pa.array([0.5, float("nan"), 0.25], pa.float32()),
        "s": ["x", None, "y"],
        "f": [True, None, False],
        "parts": [["p"], [], None],
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > 1", [False, None, True]),
        ("0 < a < 3", [True, None, False]),
        ("not (b < 0.3)", [True, None, False]),
        ("a in (1, 3) and s == 'x'", [True, None, False]),
        ("s not in ('x', 'z')", [False, None, True]),
        ("a == 3 or f", [True, None, True]),
        ("f and a > 0", [True, None, False]),
        ("a is null or a > 1", [False, True, True]),
        ("s is not null", [True, False, True]),
        ("parts is null", [False, False, True]),
        ("-a + 2 * b >= 0", [True, None, False]),
        ("a / 0 > 1", [None, None, None]),
        ("f == false", [False, None, True]),
        ("1 < 2", [True, True, True]),
    ],
)
def test_answers(text: str, expected: list[bool | None]) -> None:
    assert parse(text).evaluate(TABLE).to_pylist() == expected
    assert in_polars(text, TABLE) == expected


NUMBERS = st.sampled_from(["a", "b", "1", "0", "-2.5", "0.25"])
ATOMS = st.one_of(
    st.builds("{} {} {}".format, NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS),
    st.builds("{} {} ({}, {})".format, NUMBERS, st.sampled_from(["in", "not in"]), NUMBERS, NUMBERS),
    st.builds("({} {} {}) > {}".format, NUMBERS, st.sampled_from(["+", "-", "*", "/"]), NUMBERS, NUMBERS),
    st.sampled_from(["f", "s == 'x'", "s < 'y'", "a is null", "s is not null", "true"]),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=6,
)
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-3, 3)),
        st.one_of(st.none(), st.floats(width=32)),
        st.one_of(st.none(), st.sampled_from("xyz")),
        st.one_of(st.none(), st.booleans()),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(CONDITIONS, ROWS)
def test_arrow_and_polars_agree(text: str, rows: list[tuple]) -> None:
    columns = list(zip(*rows, strict=True))
    kinds = {"a": pa.int8(), "b": pa.float32(), "s": pa.string(), "f": pa.bool_()}
    table = pa.table({n: pa.array(c, k) for (n, k), c in zip(kinds.items(), columns, strict=True)})
    assert parse(text).evaluate(table).to_pylist() == in_polars(text, table)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a >", ["cannot be read", "character"]),
        ("claritty > 1 and a > 0", ["unknown column 'claritty'", "columns: a, b"]),
        ("ss == 'x'", ["unknown column 'ss'", "did you mean s?"]),
        ("a == 'x'", ["'x'", "string", "number"]),
        ("parts == 1", ["parts", "other"]),
        ("a", ["expected a condition"]),
        ("s + 1 > 2", ["'s'", "string", "number"]),
        ("a == null", ["is null"]),
        ("a in 3", ["(1, 2)"]),
        ("__import__('os')", ["character 1", "not part of the language"]),
        ("a if f else b", ["not part of the language"]),
        ("a ** 2 > 1", ["not part of the language"]),
        ("(" * 300 + "a" + ")" * 300, ["expression"]),
    ],
)
def test_a_wrong_expression_is_one_line(text: str, parts: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        parse(text).evaluate(TABLE)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def in_polars(text: str, table: pa.Table) -> list[bool | None]:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(keep=parse(text).polars(frame.schema))["keep"].to_list()
