"""Tables on the disk are what they were in memory, and leave no file behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from pipeline.store.on_disk import arrays_on_disk, on_disk, table_on_disk


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert not list(tmp_path.iterdir())


def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": ["a" * 40, "b", None],
            "language": pl.Series(["zh", None, "en"], dtype=pl.Categorical),
            "fails": pl.Series([["S1.bytes", "S2.luma"], [], None], dtype=pl.List(pl.Categorical)),
            "kept": [True, None, False],
            "value": pl.Series([1.5, None, float("nan")], dtype=pl.Float32),
        }
    )


def test_a_frame_comes_back_with_its_types_nulls_and_categories() -> None:
    for rows in (frame(), frame().head(0), pl.concat([frame(), frame()], rechunk=False)):
        assert_frame_equal(pl.DataFrame(on_disk(rows)), rows)


def test_a_table_of_several_pieces_comes_back_in_one() -> None:
    table = pa.concat_tables([pa.table({"n": [1, 2]}), pa.table({"n": [3]})])
    back = table_on_disk(table)
    assert back.equals(table)
    assert back["n"].num_chunks == 1


def test_columns_of_several_tables_are_one_array_each() -> None:
    parts = [
        pa.table({"hash": np.arange(5, dtype=np.uint64) << np.uint64(60), "known": [True, False, True, True, False]}),
        pa.table({"hash": np.array([], np.uint64), "known": pa.array([], pa.bool_())}),
        pa.table({"hash": np.array([7], np.uint64), "known": [False]}),
    ]
    found = arrays_on_disk(iter(parts))
    whole = pa.concat_tables(parts)
    for name in whole.column_names:
        np.testing.assert_array_equal(found[name], whole[name].to_numpy())
        assert found[name].dtype == whole[name].to_numpy().dtype
    assert len(arrays_on_disk([parts[1]])["hash"]) == 0
