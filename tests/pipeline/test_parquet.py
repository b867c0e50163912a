"""Files of an older minor version of the schema lack columns; damaged ones are told."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs import RunFailed
from pipeline.parquet import read_table


def test_columns_that_came_later_are_null(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "recipe": ["x", None]}), path)
    table = read_table(path, ["strategy", "id", "fonts"])
    assert table.column_names == ["strategy", "id", "fonts"]
    assert table["strategy"].to_pylist() == [None, None]
    assert table["fonts"].type == pa.list_(pa.string())
    assert read_table(path, ["recipe"]).to_pydict() == {"recipe": ["x", None]}


@pytest.mark.parametrize("column", ["sha256", "no_such"])
def test_what_a_file_must_have_is_missed(tmp_path: Path, column: str) -> None:
    path = tmp_path / "cut.parquet"
    pq.write_table(pa.table({"id": ["a"]}), path)
    with pytest.raises(RunFailed, match=r"cut\.parquet is damaged"):
        read_table(path, ["id", column])
