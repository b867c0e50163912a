"""Edit pairs from lists: references, instructions and target, and what becomes of rows that name something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs import UserError, decode
from pipeline.config import PipelineConfig
from pipeline.sources import EditsSource
from pipeline.sources.columns import CaptionColumn
from tests.pipeline.hostile import encode, picture
from tests.pipeline.sources.listing import collected, listed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pairs"
    for index, name in enumerate(("in/a.png", "in/b.png", "out/a.png", "out/b.png", "out/猫.png")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encode(picture(40 + index, 30, seed=index), "PNG"))
    (root / "in/cut.png").write_bytes((root / "in/a.png").read_bytes()[:-400])
    (tmp_path / "secret.png").write_bytes(encode(picture(99, 99, seed=9), "PNG"))
    (root / "in/link.png").symlink_to(tmp_path / "secret.png")
    return root


def source(table: Path, **fields: Any) -> EditsSource:
    known: dict[str, Any] = {"sources": ("before",), "instructions": ("ask",), "target": "after"}
    return EditsSource(kind="edits", name="pairs", table=str(table), **{**known, **fields})


def write(path: Path, rows: list[Any]) -> Path:
    """A list in the format of its ending."""
    if path.suffix == ".jsonl":
        path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        mark = "," if path.suffix == ".csv" else "\t"
        lines = [mark.join(rows[0]), *(mark.join(str(v or "") for v in row.values()) for row in rows)]
        path.write_text("\r\n".join(lines), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_row_is_a_pair_in_every_format(folder: Path, ending: str) -> None:
    rows = [
        {"before": "in/a.png", "after": "out/a.png", "ask": "Make it snow", "zh": "下雪", "score": "0.5"},
        {"before": "in/b.png", "after": "out/猫.png", "ask": "Add a cat", "zh": None, "score": None},
        {"before": "in/b.png", "after": "out/a.png", "ask": "Now a dog", "zh": None, "score": "1"},
    ]
    columns = ("ask", CaptionColumn("zh", "recaption"))
    made = source(write(folder / f"list{ending}", rows), instructions=columns, keep=("score",))
    entries, _ = listed(made)
    assert [(e["uri"], e["ordinal"]) for e in entries] == [("out/a.png", 0), ("out/猫.png", 1), ("out/a.png", 2)]
    assert len({e["id"] for e in entries}) == 3
    assert entries[0]["bytes"] == sum((folder / name).stat().st_size for name in ("in/a.png", "out/a.png"))
    found, failed = collected(made)
    assert failed == {}
    row = found["out/a.png"]
    assert (row["task"], row["origin"], row["width"], row["ref_sizes"]) == ("ti2i", "edits", 42, [40, 30])
    assert row["references"] == [{"bytes": (folder / "in/a.png").read_bytes(), "path": "a.png"}]
    assert [(i["text"], i["source"], i["language"]) for i in row["instructions"]] == [
        ("Make it snow", "raw", "en"),
        ("下雪", "recaption", "zh"),
    ]
    assert json.loads(row["extra"]) == {"score": "0.5"}
    assert [len(r["instructions"]) for r in found.values()] == [2, 1, 1]


def test_several_references_in_one_column_or_in_many(folder: Path) -> None:
    rows = [
        {"before": ["in/a.png", "in/b.png"], "mask": None, "ask": "x", "after": "out/a.png"},
        {"before": ["in/a.png"], "mask": "in/b.png", "ask": "x", "after": "out/b.png"},
        {"before": ["in/a.png"] * 3, "mask": "in/b.png", "ask": "x", "after": "out/猫.png"},
        {"before": [], "mask": None, "ask": "x", "after": "in/a.png"},
    ]
    made = source(write(folder / "list.jsonl", rows), sources=("before", "mask"))
    found, failed = collected(made)
    assert [row["ref_sizes"] for row in found.values()] == [[40, 30, 41, 30]] * 2
    assert failed == {
        "out/猫.png": "4 pictures before the edit; from 1 to 3 are taken",
        "in/a.png": "0 pictures before the edit; from 1 to 3 are taken",
    }


def test_what_cannot_be_read_as_a_pair_is_one_row_with_its_reason(folder: Path) -> None:
    good = {"before": "in/a.png", "after": "out/a.png", "ask": "x"}
    rows = [
        "{",
        "[1, 2]",
        {**good, "after": None},
        {**good, "after": "../secret.png"},
        {**good, "after": str(folder.parent / "secret.png")},
        {**good, "after": "in/link.png"},
        {**good, "after": "ftp://example.org/a.png"},
        {**good, "after": ["out/a.png", "out/b.png"]},
        {**good, "after": "out/none.png"},
        {**good, "after": "\ud83d.png"},
        {**good, "after": 7},
        {**good, "after": "a\0.png"},
        {**good, "before": "in/cut.png"},
        {**good, "before": "/etc/passwd"},
        {**good, "before": "list.jsonl"},
        {**good, "ask": "  "},
        {**good, "ask": 3},
        {**good, "after": str(folder / "out/b.png")},
        good,
    ]
    found, failed = collected(source(write(folder / "list.jsonl", rows)))
    assert len(found) + len(failed) == len(rows)
    assert list(found) == [str(folder / "out/b.png"), "out/a.png again 18"]
    reasons = list(failed.values())
    parts = [
        "no JSON",
        "no JSON object",
        "names no picture",
        "outside",
        "outside",
        "outside",
        "expected http or https",
        "several pictures",
    ]
    parts += ["there is nothing", "no path", "no path", "no path", "before the edit, 'in/cut.png'", "outside"]
    parts += ["before the edit, 'list.jsonl': no picture", "no instruction", "no instruction"]
    assert [part for part, reason in zip(parts, reasons, strict=True) if part not in reason] == []


def test_a_root_of_its_own(folder: Path, tmp_path: Path) -> None:
    row = {"before": "pairs/in/a.png", "after": "secret.png", "ask": "x"}
    found, failed = collected(source(write(folder / "list.jsonl", [row]), root=str(tmp_path)))
    assert (list(found), failed) == (["secret.png"], {})


def test_a_row_of_another_length_is_refused_alone(folder: Path) -> None:
    text = "before,after,ask\nin/a.png,out/a.png\nin/a.png,out/a.png,x\nin/a.png,out/a.png,x,y\n"
    (folder / "list.csv").write_text(text)
    found, failed = collected(source(folder / "list.csv"))
    assert list(found) == ["out/a.png"]
    assert failed == {
        "row 0": "line 2 of the list has 2 fields, its header 3",
        "row 2": "line 4 of the list has 4 fields, its header 3",
    }


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("list.txt", b"x", r"field 'sources\.0\.table': expected a file that ends with .csv, .tsv, .jsonl, .parquet"),
        ("list.csv", b"before,after\n", r"'.*list.csv' has no column 'ask'; there are: before, after"),
        ("list.csv", b"", r"'.*list.csv' is empty"),
        ("list.csv", b'before,after,ask\na,b,"c\nd,e,f\n', r"row 2: quotes do not balance"),
        ("list.csv", b"\0" * 100, "holds NUL characters"),
        ("list.parquet", b"PAR1", "cannot be read"),
    ],
)
def test_a_list_that_is_none_is_one_line(folder: Path, name: str, data: bytes, message: str) -> None:
    (folder / name).write_bytes(data)
    with pytest.raises(UserError, match=message):
        listed(source(folder / name))


def test_it_stands_in_a_config() -> None:
    tree: dict[str, Any] = {"kind": "edits", "name": "pairs", "table": "l.csv", "target": "after"}
    tree |= {"sources": ["before"], "instructions": ["ask", {"column": "zh", "source": "fused"}]}
    (made,) = decode({"sources": [tree]}, PipelineConfig, "config").sources
    assert made == source(Path("l.csv"), instructions=("ask", CaptionColumn("zh", "fused")))
    with pytest.raises(UserError, match="field 'sources': expected at least one column"):
        decode({"sources": [{**tree, "sources": []}]}, PipelineConfig, "config")
