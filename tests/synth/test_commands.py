"""``python -m synth preview`` and ``fonts``: what they write and how they end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs.errors import command
from synth.__main__ import main
from synth.preview import ARROW, BEHIND, GAP, filled_sheet, preview_sheet
from tests import forked
from tests.synth.common import GLYPHS, recipe

EDIT = "configs/synth/edit.yaml"
TEMPLATE = "configs/synth/template.yaml"


def test_render_makes_a_dataset_once_and_refuses_another_in_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline import scan

    out = tmp_path / "set"
    contents = "contents=[{kind: charset, characters: 天地人和\U00013000}]"  # the last one is no font's
    arguments = ["render", GLYPHS, str(out), "--set", "seed=3", "--set", contents, "--count"]
    done = forked.run(["synth", *arguments, "12"])  # a process of its own, so that its Ray ends with it
    assert done.returncode == 0, done.stderr
    table = scan(out).select("id", "text", "recipe", "stage_from", "stage_to", "text_level").collect()
    made = recipe(GLYPHS, "seed=3", contents)
    missing_glyphs = sum(sum(made.render(index).missing_glyphs.values()) for index in range(12))
    assert missing_glyphs >= 2
    assert (
        f"{missing_glyphs} of the discarded had a character that no font draws: \U00013000 (U+13000) {missing_glyphs}"
        in done.stdout
    )
    assert sorted(table["id"]) == sorted(made.sample_id(index) for index in range(12))
    assert sorted(table["text"]) == sorted(made.render(index).text for index in range(12))
    assert set(table["recipe"]) == {"glyphs"}
    assert set(table["stage_from"]) == {4}
    assert set(table["stage_to"]) == {7}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set"]
    assert {p.name for p in out.iterdir()} == {"README.md", "data", "dataset.json", "manifest", "notes"}

    assert command(main, [*arguments, "12"]) == 0
    assert "is there already" in capsys.readouterr().out
    assert command(main, [*arguments, "13"]) == 2
    assert "holds something else" in capsys.readouterr().err


def test_a_recipe_that_cannot_be_drawn_is_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = "contents=[{kind: charset, characters: \U00013000}]"
    for count in ("12", "513"):  # tried by the child that would draw, and by the command
        assert command(main, ["render", GLYPHS, str(tmp_path / "set"), "--count", count, "--set", contents]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: config {GLYPHS}: contents.0 (charset): none of 50 texts could be shown whole")
    assert not list(tmp_path.iterdir())


def test_preview_writes_a_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheet.png"
    assert command(main, ["preview", GLYPHS, str(out), "--count", "10", "--columns", "5"]) == 0
    with Image.open(out) as sheet:
        width, height = sheet.size
        assert width == 8 + 5 * (240 + 8)  # the labels are wider than the pictures
        assert height > 8 + 2 * (64 + 8 + 2 * 15)  # facts and a caption under each
        below = np.asarray(sheet)[8 + 68 : 8 + 68 + 26, 8:248].astype(int)
        assert (below.max(axis=2) > 150).sum() > 200  # they are written
    assert "10 samples of recipe glyphs" in capsys.readouterr().out


def test_preview_shows_the_indices_the_seed_and_the_families_asked_for(tmp_path: Path) -> None:
    def shown(*argv: str) -> bytes:
        assert command(main, ["preview", *argv, str(tmp_path / "sheet.png"), "--count", "2", "--columns", "2"]) == 0
        with Image.open(tmp_path / "sheet.png") as sheet:
            return sheet.tobytes()

    assert shown(GLYPHS, "--from", "7") != shown(GLYPHS)
    assert shown(GLYPHS, "--seed", "3") != shown(GLYPHS)
    assert shown(GLYPHS, "--seed", "3", "--from", "1") == shown(GLYPHS, "--from", "1", "--set", "seed=3")
    receipts = recipe(TEMPLATE, "strategy.families={receipt: 1}")
    assert (
        shown(TEMPLATE, "--family", "receipt")
        == preview_sheet([receipts.render(index) for index in range(2)], 2, labels=True).tobytes()
    )


def test_preview_of_several_recipes_shows_them_in_turn_and_fills_the_width(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix in ("jpg", "webp"):
        out = tmp_path / f"sheet.{suffix}"
        argv = ["preview", GLYPHS, EDIT, str(out), "--count", "5", "--columns", "4", "--width", "700"]
        assert command(main, argv) == 0
        with Image.open(out) as sheet:
            assert sheet.size[0] == 700
        assert "10 samples of recipe glyphs, edit" in capsys.readouterr().out


def test_rows_of_a_sheet_are_full_and_of_like_height() -> None:
    samples = [recipe(path).render(index) for index in range(9) for path in (GLYPHS, EDIT)]
    sheet = np.asarray(filled_sheet(samples, 640, columns=5))
    behind = (sheet == BEHIND).all(axis=2)
    edges = np.flatnonzero(np.diff(behind.all(axis=1)))  # above the first row, below it, above the second ...
    tops, bottoms = edges[::2], edges[1::2]
    assert len(tops) >= 3
    assert 60 < (bottoms - tops).min() <= (bottoms - tops).max() < 250
    for top, bottom in zip(tops, bottoms, strict=True):
        row = behind[top + 1 : bottom]
        assert not row[:, GAP].all()
        assert not row[:, 640 - GAP - 1].all()  # the last picture of a row ends at the edge


def test_an_edit_shows_the_picture_before_it_on_the_left() -> None:
    pair = next(s for s in map(recipe(EDIT).render, range(20)) if s.task == "ti2i")
    assert pair.reference is not None
    shown = preview_sheet([pair], 1)
    width, height = pair.image.size
    assert shown.size == (2 * GAP + 2 * width + ARROW, 2 * GAP + height)
    assert shown.crop((GAP, GAP, GAP + width, GAP + height)).tobytes() == pair.reference.tobytes()
    right = (GAP + width + ARROW, GAP, GAP + 2 * width + ARROW, GAP + height)
    assert shown.crop(right).tobytes() == pair.image.tobytes()


def test_the_sheet_of_the_readme_is_small_and_of_all_strategies() -> None:
    line = next(line for line in Path("README.md").read_text("utf-8").splitlines() if "docs/synthesis.jpg" in line)
    assert all(f"{name}" in line for name in ("pure", "scene", "template", "edit"))
    with Image.open("docs/synthesis.jpg") as sheet:
        assert sheet.size[0] == 1200
    assert Path("docs/synthesis.jpg").stat().st_size < 300_000


def test_boxes_are_drawn_where_asked_for(tmp_path: Path) -> None:
    plain, boxed = tmp_path / "a.png", tmp_path / "b.png"
    command(main, ["preview", GLYPHS, str(plain), "--count", "4"])
    command(main, ["preview", GLYPHS, str(boxed), "--count", "4", "--boxes"])
    with Image.open(boxed) as sheet, Image.open(plain) as clean:
        assert (60, 140, 255) in {c for _, c in sheet.getcolors(1 << 20)}  # the color of glyph boxes
        assert (60, 140, 255) not in {c for _, c in clean.getcolors(1 << 20)}


def test_fonts_prints_coverage_and_licenses(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(main, ["fonts", GLYPHS]) == 0
    out = capsys.readouterr().out
    assert "Noto Sans CJK SC" in out
    assert "OFL-1.1" in out
    assert re.search(r"6763 +3500 +3000 +1605", out)
    assert command(main, ["fonts", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len({font["family"] for font in told["fonts"]}) >= 30
    styles = {font["style"] for font in told["fonts"]}
    assert styles - {"kai"} == {"sans", "serif", "mono", "display", "handwriting"}  # Kai comes by `make fonts`
    assert told["left"] == []


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["preview", GLYPHS, "x.png", "--family", "receipt"], "strategy"),
        (["preview", TEMPLATE, "x.png", "--family", "opera"], "no template 'opera'"),
        (["preview", GLYPHS, "out.gif"], "OUT: expected a name ending in .png, .jpg, .webp"),
        (["preview", GLYPHS, "configs/synth/edit.yaml"], "OUT: expected a name ending in .png"),
        (["preview", GLYPHS, "no/such/folder/x.png"], "folder no/such/folder does not exist"),
        (["preview", "nope.yaml", "x.png"], "config nope.yaml: cannot be read"),
        (["fonts", GLYPHS, "--set", "fonts.0.file=nope.ttf"], "fonts.0.file: no font at"),
    ],
)
def test_bad_input_is_one_line_and_status_2(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(main, argv) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys, synth.__main__; print([m for m in ('skia', 'numpy', 'uharfbuzz', 'ray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
