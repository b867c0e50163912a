"""Pages: every line in its column, nothing overlaps, lists hang, nothing is lost between columns."""

from __future__ import annotations

import itertools

import pytest

from synth.drawing import regions
from tests.synth.common import PURE, recipe
from tests.synth.test_geometry import drawn, ink

CANVASES = "canvases=[{size: [512, 512]}, {size: [640, 400]}, {size: [360, 640]}]"


def pages(content: str, count: int):
    made = recipe(PURE, f"contents=[{{kind: page, {content}}}]", CANVASES)
    return [drawn(made, index).drawing for index in range(count)]


@pytest.mark.parametrize(
    "content", ["columns: [1, 1]", "columns: [2, 3], bodies: {paragraphs: 1}", "bodies: {bullets: 1, numbers: 1}"]
)
def test_lines_lie_on_the_canvas_and_apart(content: str) -> None:
    for drawing in pages(content, 25):
        w, h = drawing.canvas
        lines = [r for r in regions.of(drawing) if r.level == "line"]
        assert len(lines) >= 2
        for a, b in itertools.combinations([r.quad for r in lines], 2):
            across = min(a[4], b[4]) - max(a[0], b[0])
            down = min(a[5], b[5]) - max(a[1], b[1])
            assert across <= 1 or down <= 2, (a, b)
        assert all(0 <= v <= side for r in lines for v, side in zip(r.quad, (w, h) * 4, strict=True))
        for layer in drawing.texts:
            mask = ink(drawing.canvas, layer)
            assert mask.any()
            assert not mask[[0, -1]].any()


def test_columns_follow_each_other_and_keep_every_word() -> None:
    several = 0
    for drawing in pages("columns: [3, 3], bodies: {paragraphs: 1}, languages: {en: 1}", 20):
        body = [layer for layer in drawing.texts if layer.role == "body"]
        starts = [layer.matrix[0, 2] for layer in body]
        assert starts == sorted(starts)
        several += len(set(starts)) > 1
        words = [word for layer in body for word in layer.block.text.split()]
        assert words[0][0].isupper() or not words[0][0].isalpha()
        assert words[-1][-1] in '.!?"'
    assert several > 5


def test_lists_hang_behind_their_markers() -> None:
    hanging = 0
    for drawing in pages("bodies: {bullets: 1, numbers: 1}, languages: {en: 1}", 40):
        for layer in drawing.texts:
            lines = layer.block.lines
            if layer.role == "body" and len(lines) > 1:
                marker = lines[0].glyphs[0].text
                assert marker in "•–0123456789"
                text_starts = lines[0].text.index(" ") + 1
                first = next(g for g in lines[0].glyphs if g.start == text_starts)
                assert lines[1].glyphs[0].x == pytest.approx(first.x, abs=0.5)
                hanging += 1
    assert hanging > 5


def test_chinese_paragraphs_are_indented_by_two_characters_where_lines_are_long() -> None:
    indented = 0
    for drawing in pages("bodies: {paragraphs: 1}, languages: {zh: 1}, columns: [1, 2], items: [4, 5]", 24):
        block = next(layer.block for layer in drawing.texts if layer.role == "body")
        longest = max(len(line.text) for line in block.lines)
        ends = [line.box[2] for layer in drawing.texts if layer.role == "body" for line in layer.block.lines]
        first, *others = [line.glyphs[0] for line in block.lines]
        opening = first.text in "“《（"
        if longest >= 13:
            assert first.x == pytest.approx(2 * block.size, abs=0.6 * block.size if opening else 1e-6)
            indented += 1
        elif max(ends) < 11 * block.size:  # of all paragraphs, with their indents: as long as lines come
            assert first.x <= 0
        assert all(glyph.x <= 0 for glyph in others)
    assert indented >= 3


def test_a_strategy_that_lays_out_no_pages_shows_one_as_a_paragraph() -> None:
    scenes = recipe(
        "configs/synth/scene.yaml",
        "contents=[{kind: page, items: [1, 1], sentences: [1, 1], bodies: {paragraphs: 1}}]",
        "strategy.several=0",
        "canvases=[{size: [512, 512]}]",
    )
    sample = scenes.render(0)
    assert (sample.photographic, sample.text_level) == (True, 4)
    assert len({region.text for region in sample.regions if region.level == "paragraph"}) == 1
