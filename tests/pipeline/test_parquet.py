"""Files of an older minor version of the schema lack columns; damaged ones are told."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs import RunFailed
from pipeline.parquet import opened, read_row_group, read_schema, read_table


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


def test_a_column_of_an_older_name_reads_under_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "lacked": ["\u4e00", ""]}, metadata={"glyphmill.schema": "1.1"}), path)
    assert read_schema(path).names == ["id", "missing_glyphs"]
    assert read_table(path).to_pydict() == {"id": ["a", "b"], "missing_glyphs": ["\u4e00", ""]}
    assert read_table(path, ["missing_glyphs", "text"]).to_pydict() == {
        "missing_glyphs": ["\u4e00", ""],
        "text": [None] * 2,
    }
    assert read_schema(path).metadata[b"glyphmill.schema"] == b"1.1"
    with opened(path) as file:
        assert read_row_group(file, 0, ["missing_glyphs"]).to_pydict() == {"missing_glyphs": ["\u4e00", ""]}
        assert read_row_group(file, 0).column_names == ["id", "missing_glyphs"]
