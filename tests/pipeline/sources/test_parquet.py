"""Parquet files of pictures: rows of any form of image column, files that drift, files that are no files."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs import UserError
from configs.pictures import Limits
from pipeline.sources import ParquetSource, Refused
from pipeline.sources.columns import CaptionColumn
from tests.pipeline.hostile import encode, picture
from tests.pipeline.sources.listing import collected, listed, texts

PICTURES = [encode(picture(40, 30 + i, seed=i), "PNG") for i in range(4)]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def source(pattern: Path, **fields: Any) -> ParquetSource:
    return ParquetSource(kind="parquet", name="web", files=str(pattern), **fields)


def images(count: int) -> list[dict[str, Any]]:
    return [{"bytes": PICTURES[i % 4], "path": f"{i}.png"} for i in range(count)]


def write(path: Path, image: pa.Array, rows: int | None = None, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": image, **columns}), path, row_group_size=rows or 1000)
    return path


def test_rows_carry_captions_license_checksum_and_what_is_kept(tmp_path: Path) -> None:
    shas = [hashlib.sha256(data).hexdigest() for data in PICTURES]
    columns = {
        "caption": ["A cat", None, "  ", "一只猫"],
        "recaptions": [["One", "Two"], [], None, ["Three"]],
        "license": ["CC0-1.0", None, "MIT", ""],
        "sha256": [shas[0], shas[1].upper(), shas[2], "0" * 64],
        "score": [0.5, float("nan"), 1.0, 2.0],
        "tags": [["a"], None, [], ["b"]],
    }
    write(tmp_path / "b.parquet", pa.array(images(4), IMAGE), **columns)
    made = source(
        tmp_path / "*.parquet",
        captions=("caption", CaptionColumn("recaptions", "recaption")),
        license="license",
        keep=("score", "tags"),
        sha256="sha256",
    )
    rows, failed = collected(made)
    assert list(rows) == ["b.parquet/0", "b.parquet/1", "b.parquet/2"]
    assert texts(rows["b.parquet/0"]) == [
        ("A cat", "raw", None),
        ("One", "recaption", None),
        ("Two", "recaption", None),
    ]
    assert [row["license"] for row in rows.values()] == ["CC0-1.0", "unknown", "MIT"]
    assert [json.loads(row["extra"]) for row in rows.values()] == [
        {"score": 0.5, "tags": ["a"]},
        {"score": None, "tags": None},
        {"score": 1.0, "tags": []},
    ]
    assert [row["image"]["bytes"] for row in rows.values()] == PICTURES[:3]
    assert failed["b.parquet/3"].endswith(f"the column 'sha256' says {'0' * 64}")


@pytest.mark.parametrize("type_", [pa.binary(), pa.large_binary(), IMAGE, pa.struct([("bytes", pa.large_binary())])])
def test_every_form_of_an_image_column_is_read(tmp_path: Path, type_: pa.DataType) -> None:
    values = images(3) if pa.types.is_struct(type_) else PICTURES[:3]
    rows, failed = collected(source(write(tmp_path / "a.parquet", pa.array(values, type_))))
    assert [row["image"]["bytes"] for row in rows.values()] == PICTURES[:3]
    assert failed == {}


def test_rows_are_found_across_row_groups_in_any_order(tmp_path: Path) -> None:
    captions = [f"number {i}" for i in range(100)]
    made = source(
        write(tmp_path / "a.parquet", pa.array(images(100), IMAGE), 23, caption=captions), captions=("caption",)
    )
    write(tmp_path / "empty.parquet", pa.array([], IMAGE), caption=pa.array([], pa.string()))
    entries, _ = listed(made)
    assert [(e["uri"], e["ordinal"]) for e in entries] == [(f"a.parquet/{i}", 0) for i in range(100)]
    assert entries[0]["bytes"] > 100
    reader = made.reader()
    for i in [*range(100), 99, 3, 22, 23, 24, 46, 45, 0, 99]:
        row = reader.read(entries[i], Limits())
        assert (row["captions"][0]["text"], row["image"]["bytes"]) == (f"number {i}", PICTURES[i % 4])


def test_files_may_drift_and_each_row_has_its_end(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.array(images(2), IMAGE), caption=["A", "B"])
    write(tmp_path / "b.parquet", pa.array(PICTURES[:2]))
    write(tmp_path / "c.parquet", pa.array(["http://x", "y"]), caption=["A", "B"])
    pq.write_table(pa.table({"picture": PICTURES[:1], "caption": [[1]]}), tmp_path / "d.parquet")
    write(tmp_path / "e.parquet", pa.array(images(2), IMAGE), caption=pa.array([7, 8]))
    write(tmp_path / "f.parquet", pa.array([None, {"bytes": None, "path": "/etc/passwd"}, {"bytes": b"no"}], IMAGE))
    (tmp_path / "g.parquet").write_bytes(b"PAR1" + b"\0" * 50 + b"PAR1")
    (tmp_path / "h.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:300])
    made = source(tmp_path / "*.parquet", captions=("caption",))
    rows, failed = collected(made)
    assert {uri: [c["text"] for c in row["captions"]] for uri, row in rows.items()} == {
        "a.parquet/0": ["A"],
        "a.parquet/1": ["B"],
        "b.parquet/0": [],
        "b.parquet/1": [],
        "e.parquet/0": [""],
        "e.parquet/1": [""],
    }
    assert rows["e.parquet/0"]["captions"][0]["invalid"] == "S3.unreadable"
    reasons = {
        "c.parquet/0": "the column 'image' of its file holds no pictures but string",
        "d.parquet/0": "its file has no column 'image'",
        "f.parquet/0": "the row has no bytes of a picture",
        "f.parquet/1": "the row has no bytes of a picture",
        "f.parquet/2": "no picture that Pillow can read",
        "g.parquet": "no Parquet file, or a damaged one",
        "h.parquet": "no Parquet file, or a damaged one",
    }
    assert set(failed) == {*reasons, "c.parquet/1"}
    assert all(failed[uri].startswith(reason) for uri, reason in reasons.items())
    assert listed(made)[1] == ["the column 'caption' is missing in 2 files, the first 'b.parquet'"]


def bad_text(rows: list[bytes]) -> pa.Array:
    """A column of strings as Arrow believes them to be."""
    return pa.array(rows, pa.binary()).view(pa.string())


def test_text_that_is_no_utf8_costs_its_caption(tmp_path: Path) -> None:
    lists = pa.ListArray.from_arrays([0, 1, 2, 2, 2], bad_text([b"one", b"\x8c\xab"]))
    columns = {"caption": bad_text([b"A cat", b"A \x00\x8c\xab", b"", "红色".encode("gb18030")]), "recaptions": lists}
    write(tmp_path / "a.parquet", pa.array(images(4), IMAGE), **columns)
    rows, failed = collected(source(tmp_path / "*.parquet", captions=("caption", "recaptions")))
    assert not failed
    assert [texts(row) for row in rows.values()] == [
        [("A cat", "raw", None), ("one", "raw", None)],
        [("", "raw", "S3.encoding"), ("", "raw", "S3.encoding")],
        [],
        [("", "raw", "S3.encoding")],
    ]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (pa.array([0, 2**62], pa.timestamp("us")), r"is no timestamp\[us\] that can be read: date value out of range"),
        (pa.array([0, 2**30], pa.date32()), r"is no date32\[day\] that can be read"),
        (pa.array([0, 2**62], pa.duration("s")), r"is no duration\[s\] that can be read"),
        (bad_text([b"fine", b"\xff"]), "is not utf-8 from byte 0"),
    ],
    ids=["timestamp", "date", "duration", "text"],
)
def test_a_column_to_keep_that_cannot_be_kept_refuses_its_row(tmp_path: Path, cells: pa.Array, reason: str) -> None:
    write(tmp_path / "a.parquet", pa.array(images(2), IMAGE), made=cells)
    rows, failed = collected(source(tmp_path / "*.parquet", keep=("made",)))
    assert list(rows) == ["a.parquet/0"]
    assert re.search(f"a column to keep {reason}", failed["a.parquet/1"])


def test_a_time_zone_that_nobody_knows_refuses_its_row(tmp_path: Path) -> None:
    times = pa.array([None, 1], pa.timestamp("us", "Mars/Olympus"))
    write(tmp_path / "a.parquet", pa.array(images(2), IMAGE), made=times)
    rows, failed = collected(source(tmp_path / "*.parquet", keep=("made",)))
    assert (list(rows), list(failed)) == (["a.parquet/0"], ["a.parquet/1"])


def test_damaged_pages_cost_the_rows_behind_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.array(images(60), IMAGE), 20)
    data = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(1).column(0)
    assert column.path_in_schema == "image.bytes"
    data[column.dictionary_page_offset or column.data_page_offset :][:0] = b""
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + 40] = b"\xff" * 40
    path.write_bytes(data)
    rows, failed = collected(source(path))
    assert list(rows) == [f"a.parquet/{i}" for i in [*range(20), *range(40, 60)]]
    assert set(failed) == {f"a.parquet/{i}" for i in range(20, 40)}
    assert all(reason.startswith("damaged from row 20 of its file") for reason in failed.values())


def test_a_file_that_changed_is_not_read_as_what_was_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.array(images(3), IMAGE))
    made = source(path)
    entries, _ = listed(made)
    write(path, pa.array(images(1), IMAGE))
    with pytest.raises(Refused, match="the row is gone"):
        made.reader().read(entries[2], Limits())
    path.unlink()
    with pytest.raises(Refused, match="its file cannot be read"):
        made.reader().read(entries[0], Limits())


def test_a_footer_that_claims_more_rows_than_bytes_lists_none_of_them(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": pa.nulls(10_000_000, pa.binary())}), tmp_path / "a.parquet")
    (entry,), _ = listed(source(tmp_path / "a.parquet"))
    assert "its footer claims 10,000,000 rows in" in entry["refused"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image": "pixels"}, r"field 'sources\.0': no file has a column 'pixels'; there are: caption, image"),
        ({"keep": ("url",)}, r"field 'sources\.0': no file has a column 'url'"),
    ],
)
def test_a_column_that_no_file_has_is_named(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    write(tmp_path / "a.parquet", pa.array(images(1), IMAGE), caption=["A"])
    with pytest.raises(UserError, match=message):
        listed(source(tmp_path / "*.parquet", **fields))


def test_a_run_that_would_list_its_own_files_is_noticed(tmp_path: Path) -> None:
    assert source(tmp_path / "**/*.parquet").holds(tmp_path / "run")
    assert not source(tmp_path / "*.parquet").holds(tmp_path / "run")
    assert not source(tmp_path / "data/**/*.parquet").holds(tmp_path / "run")
