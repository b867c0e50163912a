"""Inspect: the summary on the terminal, and the gallery of a real dataset in a real browser."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from configs import UserError
from pipeline import Dataset, scan
from pipeline.report import inspect_dataset
from pipeline.report.inspect import spread
from pipeline.report.page import write_page
from pipeline.report.pictures import Picture, Sample
from pipeline.report.summary import summarize
from tests.chromium import visit


def test_gallery_shows_matching_samples_with_boxes(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "gallery.html"
    where = "text_language == 'zh' and text_level >= 2 and recipe == 'pure'"
    assert inspect_dataset(run / "dataset", where, limit=5, out=out) == out
    script = """
    return {
      shown: document.querySelectorAll("figure.sample").length,
      lines: [...document.querySelectorAll("figure.sample")].map((f) => f.querySelectorAll("polygon.line").length),
      scroll: document.documentElement.scrollWidth,
      text: document.querySelector(".lead").textContent,
    };
    """
    seen = visit(out, script, width=400)
    assert seen.result["shown"] == 5
    assert min(seen.result["lines"]) >= 1
    assert seen.result["scroll"] == 400
    assert where in seen.result["text"]
    assert (seen.console, seen.requests) == ([], [])
    rows = scan(run / "dataset").filter((pl.col("text_language") == "zh") & (pl.col("text_level") >= 2))
    count = len(rows.filter(pl.col("recipe") == "pure").collect())
    said = capsys.readouterr().out
    assert f"{count} of {Dataset.open(run / 'dataset').rows}" in said
    assert str(out) in said
    assert "unknown, because a column is null" in said  # real pictures have no recipe


def test_a_gallery_turns_its_pages(tmp_path: Path) -> None:
    about = {"title": "t", "lead": "", "where": None, "levels": [], "digest": ""}
    items = [
        Sample(Picture(f"{i:032x}", None, 9, 9, f"{i}.png", problem="none"), f"caption {i}", []) for i in range(3000)
    ]
    page = write_page(tmp_path / "pages.html", "gallery.html.j2", about | {"items": items})
    script = """
    const shown = () => [...document.querySelectorAll("#page figcaption b")].map((e) => e.textContent);
    const [back, on] = document.querySelectorAll("nav.pages button");
    const number = document.querySelector("nav.pages input");
    const told = [shown(), back.disabled, number.max];
    on.click();
    const second = shown();
    number.value = 50;
    number.dispatchEvent(new Event("change"));
    const last = [shown(), on.disabled];
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
    return { told, second, last, before: shown(), all: document.querySelectorAll("figure").length };
    """
    seen = visit(page, script, width=400).result
    names = [[f"{i}.png" for i in range(start, start + 60)] for start in (0, 60, 2940, 2880)]
    assert seen["told"] == [names[0], True, "50"]
    assert (seen["second"], seen["last"], seen["before"]) == (names[1], [names[2], True], names[3])
    assert seen["all"] == 60  # the others are inert


def test_gallery_lies_beside_the_dataset_and_a_run_will_do(run: Path) -> None:
    before = {p.name for p in (run / "dataset").iterdir()}
    assert inspect_dataset(run, limit=1) == run / "dataset.html"
    assert {p.name for p in (run / "dataset").iterdir()} == before


def test_nothing_matches(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = inspect_dataset(run / "dataset", "width > 100000", out=tmp_path / "none.html")
    assert "No sample matches" in out.read_text()
    assert "no samples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"where": "text_levle > 1"}, "unknown column 'text_levle'.*text_level"),
        ({"where": "text_level >"}, "cannot be read"),
        ({"limit": -1}, "--limit: expected 0 or more"),
        ({"out": Path("/nowhere/at/all.html")}, "--out"),
    ],
)
def test_wrong_arguments(run: Path, arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        inspect_dataset(run / "dataset", **arguments)


def test_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dataset"):
        inspect_dataset(tmp_path)


def test_summary_counts_the_manifest(run: Path) -> None:
    manifest = scan(run / "dataset").collect()
    told = summarize(manifest.lazy())
    assert told.rows == len(manifest)
    assert sum(count for _, count in told.counts["text_language"]) == told.rows
    assert told.stages["S7"] == len(manifest.filter((pl.col("stage_from") <= 7) & (pl.col("stage_to") >= 7)))
    assert told.nulls["recipe"] == manifest["recipe"].null_count()
    assert told.sizes["width"] == (manifest["width"].min(), manifest["width"].median(), manifest["width"].max())
    without = manifest.with_columns(text_chars=pl.lit(None, pl.Int32))
    assert told.sizes.keys() - summarize(without.lazy()).sizes.keys() == {"text_chars"}


def test_spread_is_even_and_complete() -> None:
    assert spread(3, 10).tolist() == [0, 1, 2]
    assert spread(10, 4).tolist() == [0, 2, 5, 7]
    assert spread(0, 4).tolist() == []
