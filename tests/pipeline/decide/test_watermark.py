"""Texts that repeat at one place on the pictures of one host, and the captioner's list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from pipeline import schema
from pipeline.config import load_run_config
from pipeline.decide.rules import DecideConfig, Rule
from pipeline.decide.run import decide_run
from pipeline.decide.watermark import (
    WatermarkConfig,
    is_judged,
    lines_of,
    none_repeated,
    repeated_texts,
    with_watermarks,
)
from pipeline.store.commit import to_table, write_table
from pipeline.store.run_folder import RunFolder
from tests.pipeline.hostile import encode, picture
from tests.pipeline.report.fixture_run import build_run

CORNER, MIDDLE = (500.0, 440.0, 620.0, 470.0), (260.0, 200.0, 380.0, 240.0)
"""Left, top, right, bottom in a picture of 640 x 480 px."""

Line = tuple[str, tuple[float, float, float, float]]


def row(id_: str, uri: str, *lines: Line) -> dict[str, Any]:
    regions = [
        {"text": text, "quad": [x0, y0, x1, y0, x1, y1, x0, y1], "level": "line", "direction": "ltr", "score": 0.9}
        for text, (x0, y0, x1, y1) in lines
    ]
    hashes = {"pixel_sha256": f"sha of {id_}", "phash": None}
    return {"id": id_, "uri": uri, "width": 640, "height": 480, **hashes, "text_regions": regions}


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """As ``sample_tables`` gives it."""
    fields = [pa.field(name, schema.COLUMNS[name].type) for name in rows[0]]
    return pl.DataFrame(pa.Table.from_pylist(rows, schema=pa.schema(fields)))


def marks(rows: list[dict[str, Any]], **settings: Any) -> dict[str, str]:
    parts = [frame(rows[:3]), frame(rows[3:])] if len(rows) > 3 else [frame(rows)]
    found = repeated_texts(lambda: map(lines_of, parts), WatermarkConfig(**settings))
    return dict(found.select("id", "watermark").iter_rows())


def photos(host: str, count: int, *lines: Line) -> list[dict[str, Any]]:
    own = [("SALE", MIDDLE), ("Open", MIDDLE), ("Exit", MIDDLE)]
    return [row(f"{host}{n}", f"https://{host}/p/{n}.jpg", *lines, own[n % 3]) for n in range(count)]


def test_a_hosts_text_in_one_corner_is_its_watermark() -> None:
    rows = photos("stock.example", 6, ("© Stock.Example", CORNER)) + photos("other.example", 6)
    assert marks(rows) == {f"stock.example{n}": "© Stock.Example" for n in range(6)}


def test_spelling_and_www_do_not_matter() -> None:
    spellings = ["STOCK EXAMPLE", "Stock-Example", "stock example", "Ｓtock Example", "stock.example"]
    rows = [row(str(n), f"http://www.Stock.example/{n}", (text, CORNER)) for n, text in enumerate(spellings)]
    assert marks(rows) == {str(n): text for n, text in enumerate(spellings)}


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(photos("stock.example", 4, ("stock example", CORNER)), id="too few pictures"),
        pytest.param([row(str(n), f"shop/{n}.jpg", ("stock example", CORNER)) for n in range(9)], id="no host"),
        pytest.param(
            [row(str(n), f"https://h{n}.example/a", ("stock example", CORNER)) for n in range(9)], id="many hosts"
        ),
        pytest.param(
            [row(str(n), "https://h.example/a", ("stock example", CORNER if n % 2 else MIDDLE)) for n in range(8)],
            id="many places",
        ),
        pytest.param(photos("stock.example", 6, ("© 1", CORNER)), id="too short"),
        pytest.param(
            photos("a.example", 6, ("stock example", CORNER)) + [row(f"n{n}", "https://a.example/x", (f"shop number {n}", MIDDLE)) for n in range(90)],
            id="too small a share",
        ),
    ],
)  # fmt: skip
def test_what_is_no_watermark(rows: list[dict[str, Any]]) -> None:
    assert marks(rows) == {}


def test_texts_of_unknown_place_are_no_ones_watermark() -> None:
    rows = [row(str(n), f"https://h{n % 2}.example/{n}", (f"text number {n}", CORNER)) for n in range(6)]
    for each in rows:
        each["text_regions"][0]["quad"] = None
    assert marks(rows, pictures=2) == {}


def test_the_captioners_list_counts_first_and_goes_away() -> None:
    table = pl.DataFrame({"id": ["a", "b", "c"], "watermarks": [["Getty"], [], None]})
    repeated = pl.DataFrame({"id": ["a", "b"], "watermark": ["host", "host"]})
    found = with_watermarks(table, repeated)
    assert found.columns == ["id", "watermark"]
    assert found["watermark"].to_list() == ["Getty", "host", None]
    assert with_watermarks(table.drop("watermarks"), none_repeated())["watermark"].to_list() == [None] * 3


def test_regions_are_read_only_where_a_host_can_be_judged() -> None:
    web, folder = pl.DataFrame({"uri": ["a.jpg", "https://h/a.jpg"]}), pl.DataFrame({"uri": ["a.jpg", "b"]})
    assert is_judged(web, WatermarkConfig())
    assert not is_judged(folder, WatermarkConfig())
    assert not is_judged(web, WatermarkConfig(pictures=0))


def test_a_decision_finds_them_in_what_annotators_committed(tmp_path: Path) -> None:
    """Every picture of this run shows one text at one place; a captioner has seen another watermark on the first."""
    pictures = [(f"https://stock.example/{n}.jpg", encode(picture(90, 90, seed=n), "JPEG")) for n in range(7)]
    run = RunFolder(build_run(tmp_path / "run", pictures, synthetic=0, decided=False))
    config = load_run_config(run.config)
    before = decide_run(run, config).table
    assert before["watermark"].is_not_null().all()
    assert before["watermark"].str.starts_with("招牌").all()
    rows = [{"id": i, "watermarks": ["Getty"] if n == 0 else []} for n, i in enumerate(_ids(run))]
    column = schema.COLUMNS.get("watermarks", schema.Column("watermarks", pa.list_(pa.string()), "watermarks"))
    write_table(run.scores("captioner", "photos-00000"), to_table(rows, schema.arrow(["id", column])), [])
    after = decide_run(run, config).table
    assert after["watermark"].to_list()[0] == "Getty"
    assert after["watermark"].to_list()[1:] == before["watermark"].to_list()[1:]
    rule = Rule("S5.watermark", 5, "watermark is null")
    stopped = decide_run(run, replace(config, decide=DecideConfig((rule,)))).table
    assert set(stopped["stopped_by"]) == {"S5.watermark"}


def _ids(run: RunFolder) -> list[str]:
    return pl.read_parquet(run.samples("photos-00000"), columns=["id"])["id"].to_list()


@pytest.mark.parametrize("settings", [{"pictures": 1}, {"share": 2}, {"characters": 0}])
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="field"):
        WatermarkConfig(**settings)


def test_copies_of_one_picture_count_once() -> None:
    shown = photos("shop.example", 6, ("shop.example", CORNER))
    assert len(marks(shown)) == 6
    assert marks([{**row, "phash": 7} for row in shown]) == {}
    assert marks([{**row, "pixel_sha256": "the same"} for row in shown]) == {}
