"""The page in a real browser: its parts, its boxes, its width, and what strangers' texts can do to it."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from configs import UserError
from pipeline.report import write_report
from tests.chromium import Visit, screenshot, visit
from tests.pipeline.report.fixture_run import EVIL, build_run, photos

PARTS = (
    *(
        "summary",
        "funnel",
        "timing",
        "samples",
        "samples-real",
        "samples-synthetic",
        "reasons",
        "captions",
        "failures",
        "duplicates",
    ),
    *("text", "balance", "by-source", "taxonomy", "scores", "training", "loss", "phases", "evaluation", "files"),
)

LOOK = """
dispatchEvent(new Event("beforeprint"));  // draws all charts
await document.fonts.ready;
await new Promise((done) => setTimeout(done, 3000));
const all = (selector) => [...document.querySelectorAll(selector)];
const wide = all("body *").filter((e) => {
  if (e.closest(".scroll, pre, svg, dialog")) return false;
  const box = e.getBoundingClientRect();
  return box.width > 0 && box.right > innerWidth + 0.5;
});
const targets = all("*").flatMap((e) => ["src", "href", "srcset", "poster", "action", "data"].map((n) => e.getAttribute(n) ?? ""));
return {
  title: document.title,
  ids: all("[id]").map((e) => e.id),
  lost: all("nav.contents a, .stops a").map((a) => a.hash.slice(1)).filter((id) => !document.getElementById(id)),
  elsewhere: targets.filter((t) => t && !t.startsWith("data:") && !t.startsWith("#")),
  scroll: document.documentElement.scrollWidth,
  width: innerWidth,
  wide: wide.map((e) => `${e.tagName}.${e.className}`),
  broken: [...document.images].filter((i) => i.complete && !i.naturalWidth).length,
  pictures: document.images.length,
  ground: getComputedStyle(document.body).backgroundColor,
  captions: all("#samples .quote").map((e) => e.textContent),
  failures: document.getElementById("failures")?.textContent,
  handlers: all("*").filter((e) => [...e.attributes].some((a) => a.name.startsWith("on"))).length,
  scripts: all("script:not([type='application/json'])").length,
  charts: all(".chart").map((e) => [e.getAttribute("aria-label"), e.querySelectorAll("svg path, svg rect").length, e.querySelector("svg")?.clientWidth <= e.clientWidth]),
  glyphs: document.fonts.check("16px Glyphmill", "招牌"),
};
"""

MORE = """
dispatchEvent(new Event("beforeprint"));
await new Promise((done) => setTimeout(done, 3000));
const bar = document.querySelector('.chart[aria-label="histogram of clarity"] svg .mark-rect path');
const middle = bar.getBoundingClientRect();
const where = { clientX: middle.x + middle.width / 2, clientY: middle.y + middle.height / 2, bubbles: true };
bar.dispatchEvent(new PointerEvent("pointermove", where));
const tooltip = document.getElementById("vg-tooltip-element");
const shot = document.querySelector("#samples-real .shot");
const image = shot.querySelector("img").getBoundingClientRect();
const box = shot.querySelector("polygon.line").getBoundingClientRect();
const share = (x, y) => [(x - image.left) / image.width, (y - image.top) / image.height];
const glyph = document.querySelector("#samples-synthetic polygon.glyph");
const before = glyph.getClientRects().length;
document.getElementById("show-glyph").click();
const after = glyph.getClientRects().length;
document.querySelector("#samples-synthetic .zoom").click();
const dialog = document.querySelector("dialog");
return {
  hint: [tooltip?.textContent, tooltip?.classList.contains("visible")],
  box: [...share(box.left, box.top), ...share(box.right, box.bottom)],
  levels: ["glyph", "word", "line", "paragraph"].map((l) => document.querySelectorAll(`#samples-synthetic polygon.${l}`).length),
  switched: [before, after],
  large: [dialog.open, dialog.querySelectorAll("polygon").length > 0, dialog.querySelector("figcaption") !== null],
  counts: Object.fromEntries([...document.querySelectorAll("[data-stage]")].map(
    (e) => [`${e.dataset.stage} ${e.dataset.kind}`, Number(e.dataset.count)])),
};
"""


@pytest.fixture(scope="module")
def wide(report: Path) -> Visit:
    return visit(report, LOOK, width=1280)


@pytest.fixture(scope="module")
def narrow(report: Path) -> Visit:
    return visit(report, LOOK, width=400, dark=True)


@pytest.fixture(scope="module")
def more(report: Path) -> Any:
    return visit(report, MORE).result


def test_parts_are_there_and_links_lead_to_them(wide: Visit) -> None:
    ids = wide.result["ids"]
    assert not [part for part in PARTS if part not in ids]
    assert len(ids) == len(set(ids))
    assert wide.result["lost"] == []


def test_nothing_is_wider_than_the_window(wide: Visit, narrow: Visit) -> None:
    for seen, width in ((wide, 1280), (narrow, 400)):
        assert (seen.result["width"], seen.result["scroll"], seen.result["wide"]) == (width, width, [])


def test_light_and_dark(wide: Visit, narrow: Visit) -> None:
    grounds = [int(re.findall(r"\d+", seen.result["ground"])[0]) for seen in (wide, narrow)]
    assert grounds[0] > 200
    assert grounds[1] < 60


def test_one_file_without_requests(report: Path, wide: Visit, narrow: Visit) -> None:
    assert report.stat().st_size < 8_000_000
    assert wide.result["elsewhere"] == []
    assert "default-src 'none'" in report.read_text()
    style = re.findall(r"<style>.*?</style>", report.read_text(), re.DOTALL)
    assert re.findall(r"url\((?!data:)|@import", "".join(style)) == []
    for seen in (wide, narrow):
        assert (seen.console, seen.requests) == ([], [])
        assert seen.result["pictures"] > 30
        assert seen.result["broken"] == 0


def test_strangers_texts_stay_texts(report: Path, wide: Visit) -> None:
    page = wide.result
    assert page["title"] == "Glyphmill run: run"
    assert any("<script>document.title" in caption for caption in page["captions"])
    shown = EVIL.replace("\u202e", "\ufffd").replace("\x07", "\ufffd")
    assert shown in page["failures"]
    assert page["handlers"] == 0
    assert page["scripts"] == 3  # Vega, ours, and the one that looks
    assert not {"\u202e", "\x07"} & set(report.read_text())


def test_charts_are_drawn_and_fit(wide: Visit, narrow: Visit) -> None:
    for seen in (wide, narrow):
        charts = {label: (shapes, fits) for label, shapes, fits in seen.result["charts"]}
        assert {
            "histogram of clarity",
            "loss by step",
            "how many pictures of each source are left at every stage",
        } <= set(charts)
        assert all(shapes > 3 for shapes, _ in charts.values()), charts
        assert all(fits for _, fits in charts.values()), charts


def test_a_bar_says_what_it_counts(more: Any) -> None:
    text, visible = more["hint"]
    assert re.fullmatch(r"kindreal\s*values[\d.k]+ to [\d.k]+\s*pictures\d+", text)
    assert visible is True


def test_the_page_carries_the_glyphs_that_it_shows_and_no_others(report: Path, wide: Visit) -> None:
    page = report.read_text()
    found = re.search(r"src: url\(data:font/woff;base64,([\w+/=]+)\)", page)
    assert found is not None
    drawn = {chr(code) for code in TTFont(io.BytesIO(base64.b64decode(found[1]))).getBestCmap()}
    assert {"招", "牌"} <= drawn <= set(page)
    assert {c for c in page if "\u4e00" <= c <= "\u9fff"} <= drawn
    assert wide.result["glyphs"] is True


def test_boxes_lie_where_the_text_is(more: Any) -> None:
    """The polygon of an OCR region on screen, against its quad in parts of the picture."""
    assert more["box"] == pytest.approx([0.08, 0.40, 0.90, 0.60], abs=0.02)
    assert all(count > 3 for count in more["levels"])


def test_levels_switch_off_and_pictures_open_large(more: Any) -> None:
    assert more["switched"] == [1, 0]
    assert more["large"] == [True, True, True]


def test_funnel_numbers_on_the_page(more: Any) -> None:
    counts = more["counts"]
    assert (counts["Inputs real"], counts["Readable real"], counts["Inputs synthetic"]) == (11, 10, 40)
    assert counts["S3 synthetic"] == 0
    assert 0 < counts["S7 synthetic"] <= counts["S4 synthetic"] <= 40
    assert counts["S7 real"] <= counts["S1 real"] == 9  # the copy is stopped at S1


def test_screenshot_shows_pictures(report: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.png"
    screenshot(report, out, width=1280, height=2100)
    with Image.open(out) as image:
        assert image.size == (1280, 2100)
        colors = image.convert("RGB").crop((250, 1300, 1280, 2100)).getcolors(10**7)
    assert colors is not None
    assert len(colors) > 2000  # photographs, not plain boxes


@pytest.mark.parametrize("kind", ["empty", "undecided", "no text"])
def test_runs_with_parts_missing(tmp_path: Path, kind: str) -> None:
    pictures = [] if kind == "empty" else photos(4)[:3]
    run = build_run(tmp_path / "run", pictures, synthetic=0, decided=kind != "undecided", ocr=kind != "no text")
    html = write_report(run).read_text()
    ids = set(re.findall(r'<section id="(\w+)"', html))
    assert ids == {
        "funnel",
        "samples",
        "reasons",
        "failures",
        "captions",
        "duplicates",
        "text",
        "balance",
        "taxonomy",
        "scores",
        "training",
        "files",
    }
    assert "Every input could be read and judged." in html
    assert "Nothing is trained on this run yet" in html
    assert ("Nothing is decided yet" in html) == (kind != "no text")
    assert ("No scores are stored" in html) == (kind == "empty")


def test_wrong_folders_end_in_one_line(tmp_path: Path, run: Path) -> None:
    with pytest.raises(UserError, match="no run is there"):
        write_report(tmp_path)
    with pytest.raises(UserError, match="no folder is there"):
        write_report(run, train=tmp_path / "nothing")


def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", photos(2), synthetic=0)
    (run / "failures" / "photos-00000.parquet").unlink()
    with pytest.raises(UserError, match=r"not finished.*python -m pipeline run"):
        write_report(run)
