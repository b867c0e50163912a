"""Lists of URLs in every form, with every fault, and samples made of what was downloaded; nothing is fetched here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs import UserError
from configs.pictures import Limits
from pipeline.sources import Refused, UrlsSource
from pipeline.sources.columns import CaptionColumn
from tests.pipeline.hostile import encode, picture
from tests.pipeline.sources.listing import listed

URLS = ["http://h/1.png", "HTTPS://G.example:443/a/../2.png#x", "ftp://h/3.png", "", "http://h/1.png"]


def source(path: Path, **fields: Any) -> UrlsSource:
    return UrlsSource(kind="urls", name="web", list=str(path), **fields)


def write(folder: Path, ending: str) -> Path:
    path = folder / f"list{ending}"
    if ending == ".txt":
        path.write_text("\ufeff" + "\r\n".join([*URLS[:3], "", " ", *URLS[4:]]), encoding="utf-8")
    elif ending == ".parquet":
        pq.write_table(pa.table({"url": [url or None for url in URLS], "alt": list("abcde")}), path)
    elif ending == ".jsonl":
        rows = (json.dumps({"url": url, "alt": alt}) for url, alt in zip(URLS, "abcde", strict=True))
        path.write_text("\n".join(rows), encoding="utf-8")
    else:
        cut = "," if ending == ".csv" else "\t"
        rows = (f"{url}{cut}{alt}" for url, alt in zip(URLS, "abcde", strict=True))
        path.write_text(f"url{cut}alt\n" + "\n".join(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_list_is_listed_row_by_row(ending: str, tmp_path: Path) -> None:
    rows, _ = listed(source(write(tmp_path, ending), captions=("alt",)))
    assert [row["uri"] for row in rows] == [
        "http://h/1.png",
        "https://g.example/2.png",
        "ftp://h/3.png",
        "row 3",
        "http://h/1.png",
    ]
    assert [row["ordinal"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["reason"] for row in rows] == [None, None, "bad_url", "incomplete", "repeated"]
    assert json.loads(rows[0]["place"])["joined"] == [{"url": "http://h/1.png", "alt": "e"}]


def test_a_cell_that_cannot_be_read_refuses_its_row_alone(tmp_path: Path) -> None:
    urls = pa.array([b"http://h/0.png", b"http://h/\xff.png", b"http://h/2.png", b"http://h/3.png"], pa.binary())
    days = pa.array([0, 1, 2**30, 3], pa.date32())
    pq.write_table(pa.table({"url": urls.view(pa.string()), "day": days}), tmp_path / "list.parquet")
    rows, _ = listed(source(tmp_path / "list.parquet", keep=("day",)))
    assert [row["uri"] for row in rows] == ["http://h/0.png", "row 1", "row 2", "http://h/3.png"]
    assert [row["reason"] for row in rows] == [None, "unreadable", "unreadable", None]
    assert rows[1]["refused"] == "row 1 of the list: its column 'url' is not utf-8 from byte 9"
    assert rows[2]["refused"].startswith("row 2 of the list: its column 'day' is no date32[day] that can be read: ")


def test_a_text_holds_a_url_a_line(tmp_path: Path) -> None:
    rows, _ = listed(source(write(tmp_path, ".txt")))
    assert [row["reason"] for row in rows] == [None, None, "bad_url", "repeated"]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("\0\n\0\0\n", ["bad_url", "bad_url"]),
        ("http://h/" + "x" * 200_000 + "\nhttp://h/2.png\n", None),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), ["bad_url"]),
    ],
)
def test_a_text_of_nonsense_is_listed_all_the_same(text: str, reasons: list[str] | None, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(text.encode("latin-1"))
    rows, _ = listed(source(tmp_path / "list.txt"))
    found = [row["reason"] for row in rows]
    assert found == reasons if reasons else set(found[:-1]) == {"bad_url"}


def test_ten_thousand_times_one_url_is_one_download(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("http://h/1.png\n" * 10_000)
    entries = list(source(tmp_path / "list.txt").entries("sources.0", print))
    assert [entry.reason for entry in entries] == [None] + ["repeated"] * 9_999
    assert len(set(entries)) == 10_000


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("none.csv", {}, "field 'sources.0.list'"),
        ("list.csv", {"url": "link"}, "has no column 'link'; there are: url, alt"),
        ("list.csv", {"references": ("before",)}, "has no column 'before'"),
        ("list.txt", {"captions": ("alt",)}, "'alt'"),
        ("list.xlsx", {}, "expected a file that ends with"),
    ],
)
def test_what_is_not_there_is_told_before_anything_runs(name: str, fields: dict, message: str, tmp_path: Path) -> None:
    for ending in (".csv", ".txt"):
        write(tmp_path, ending)
    with pytest.raises(UserError, match=r"sources\.0") as error:
        source(tmp_path / name, **fields).check("sources.0")
    assert message in str(error.value)
    with pytest.raises(UserError, match=r"sources\.0\.list': 'hf://b/list\.csv': expected a local path, or a URL"):
        source(Path("x")).__class__(kind="urls", name="web", list="hf://b/list.csv").check("sources.0")


def downloaded(body: bytes = b"", reason: str = "ok", url: str = "http://h/1.png") -> dict[str, Any]:
    return {"url": url, "body": body, "reason": reason, "error": None if body else "why"}


def test_a_sample_is_made_of_what_came(tmp_path: Path) -> None:
    fields = {"captions": ("alt", CaptionColumn("long", "fused")), "license": "right", "references": ("before",)}
    row = {"url": "http://h/%C3%BC.png", "alt": "A", "long": "B", "right": "CC0-1.0", "before": ["http://h/0.png"]}
    again = row | {"alt": "C"}
    (tmp_path / "list.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(again))
    made = source(tmp_path / "list.jsonl", **fields)
    (entry, _), _ = listed(made)
    assert made.urls(entry) == ["http://h/%C3%BC.png", "http://h/0.png"]
    png, before = encode(picture(40, 30, seed=1), "PNG"), encode(picture(20, 10, seed=2), "PNG")
    reader = made.reader()
    sample = reader.read(entry | {"downloads": [downloaded(png), downloaded(before)]}, Limits())
    assert [(c["text"], c["source"]) for c in sample["captions"]] == [("A", "raw"), ("B", "fused"), ("C", "raw")]
    assert (sample["license"], sample["task"], sample["ref_sizes"]) == ("CC0-1.0", "i2i", [20, 10])
    assert (sample["image"]["path"], sample["image"]["bytes"], sample["references"][0]["bytes"]) == (
        "ü.png",
        png,
        before,
    )
    with pytest.raises(Refused, match=r"its reference http://h/1\.png: why") as refused:
        reader.read(entry | {"downloads": [downloaded(png), downloaded(reason="robots")]}, Limits())
    assert refused.value.reason == "robots"
    with pytest.raises(Refused, match="why") as refused:
        reader.read(entry | {"downloads": [downloaded(reason="timeout"), downloaded(before)]}, Limits())
    assert refused.value.reason == "timeout"


def test_references_are_one_to_three(tmp_path: Path) -> None:
    befores = [None, ["http://h/0"] * 4, ["ftp://h/0"], ["http://h/0"]]
    rows = (json.dumps({"url": f"http://h/{n}", "before": before}) for n, before in enumerate(befores))
    (tmp_path / "list.jsonl").write_text("\n".join(rows))
    found, _ = listed(source(tmp_path / "list.jsonl", references=("before",)))
    assert [row["reason"] for row in found] == ["incomplete", "incomplete", "bad_url", None]
