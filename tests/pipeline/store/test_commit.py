"""A fragment's file may hold more bytes of pictures than Arrow counts in one chunk."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import schema
from pipeline.pack.spans import picture_spans
from pipeline.store import commit
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import fragment_table


def row(index: int, size: int, references: int = 0) -> dict[str, object]:
    image = {"bytes": bytes([index]) * size, "path": None}
    names = dict.fromkeys(("origin", "source", "uri", "format", "sha256", "license", "task"), "x")
    numbers = dict.fromkeys(("width", "height", "orientation", "bytes_len"), 1)
    return {**names, **numbers, "id": str(index), "image": image, "references": [image] * references}


def test_pictures_beyond_a_chunk_are_cut_into_row_groups_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is 1 GiB; with 22 pictures of 100 MB the same was done once by hand."""
    monkeypatch.setattr(commit, "_PART_BYTES", 1000)
    run = RunFolder(tmp_path)
    rows = [row(0, 400), row(1, 600), row(2, 1), row(3, 5000), row(4, 300, references=2), row(5, 200)]
    path = run.samples("s-00000")
    commit.write_table(path, commit.to_table(rows, schema.arrow(schema.COLLECTED)), [{"id": "9"}])
    footer = pq.read_metadata(path)
    assert [footer.row_group(i).num_rows for i in range(footer.num_row_groups)] == [2, 1, 1, 1, 1]
    assert commit.read_failures(path) == [{"id": "9"}]
    table = fragment_table(run, "s-00000", list(schema.COLLECTED))
    assert [r["image"]["bytes"] for r in table.to_pylist()] == [r["image"]["bytes"] for r in rows]  # type: ignore[index]
    spans, data = picture_spans(path), path.read_bytes()
    for number, (offset, length, of_references) in enumerate(
        zip(*(spans[n].to_pylist() for n in ("image_offset", "image_length", "ref_spans")), strict=True)
    ):
        assert data[offset : offset + length] == rows[number]["image"]["bytes"]  # type: ignore[index]
        starts = zip(of_references[::2], of_references[1::2], strict=True)
        assert [{"bytes": data[a : a + n], "path": None} for a, n in starts] == rows[number]["references"]


def test_a_table_that_fits_is_one_row_group_and_an_empty_one_a_file(tmp_path: Path) -> None:
    arrow = schema.arrow(schema.COLLECTED)
    for name, rows in (("full", [row(i, 10) for i in range(5)]), ("empty", [])):
        path = tmp_path / f"{name}.parquet"
        commit.write_table(path, commit.to_table(rows, arrow), [])
        pq.write_table(commit.to_table(rows, arrow), tmp_path / "plain.parquet", compression=commit.codecs(arrow))
        assert pq.read_metadata(path).num_row_groups == pq.read_metadata(tmp_path / "plain.parquet").num_row_groups
        assert pq.read_table(path).to_pylist() == pq.read_table(tmp_path / "plain.parquet").to_pylist()
