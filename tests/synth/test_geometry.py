"""Boxes against pixels: every glyph's ink is inside its quad, the quad is tight, nothing is cut off."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from synth.colors import PALETTE, Ground
from synth.layout import Block
from synth.paint import paint
from synth.recipe import Recipe
from synth.regions import regions
from tests.synth.common import GLYPHS, PURE, recipe

WHITE = Ground((PALETTE["white"],))
BLACK = (0, 0, 0)


def drawn(recipe_: Recipe, index: int):
    """The placed block of a sample, from the same path that renders it."""
    number, ordinal = recipe_._schedule.at(index)
    return recipe_._first_drawable(number, ordinal, [index, int(recipe_.digest[:16], 16)])


def ink_box(canvas: tuple[int, int], block: Block) -> tuple[int, int, int, int] | None:
    """Pixels that painting ``block`` in black on white changes, as a box (x0 y0 x1 y1, ends exclusive)."""
    changed = np.asarray(paint(canvas, WHITE, block, BLACK)).min(axis=2) < 255
    ys, xs = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return (int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1) if len(xs) else None


def alone(block: Block, row: int, column: int) -> Block:
    """The block with one glyph left, at its place."""
    line = block.lines[row]
    return replace(block, lines=(replace(line, glyphs=(line.glyphs[column],)),))


@pytest.mark.parametrize(("path", "indices"), [(PURE, range(40)), (GLYPHS, range(60))])
def test_each_glyph_alone_stays_inside_its_quad_and_the_quad_is_tight(path: str, indices: range) -> None:
    checked = 0
    for index in indices:
        drawing = drawn(recipe(path), index)
        quads = iter([r for r in regions(drawing.block) if r.level == "glyph"])
        for row, line in enumerate(drawing.block.lines):
            for column, glyph in enumerate(line.glyphs):
                if glyph.text.isspace():
                    continue
                region = next(quads)
                assert region.text == glyph.text
                box = ink_box(drawing.canvas, alone(drawing.block, row, column))
                assert box is not None, f"{path} {index}: '{glyph.text}' left no ink"
                x0, y0, _, _, x1, y1, _, _ = region.quad
                slack = (box[0] - x0, box[1] - y0, x1 - box[2], y1 - box[3])
                assert min(slack) >= 0, f"{path} {index}: ink of '{glyph.text}' leaves its quad"
                assert max(slack) <= 1, f"{path} {index}: quad of '{glyph.text}' is loose by {max(slack)} px"
                checked += 1
        assert next(quads, None) is None
    assert checked > len(indices)


@pytest.mark.parametrize("path", [PURE, GLYPHS])
def test_no_ink_touches_the_border_and_glyphs_lie_inside_lines_and_lines_inside_paragraphs(path: str) -> None:
    for index in range(150):
        drawing = drawn(recipe(path), index)
        w, h = drawing.canvas
        box = ink_box(drawing.canvas, drawing.block)
        assert box is not None
        assert box[0] >= 1
        assert box[1] >= 1
        assert box[2] <= w - 1
        assert box[3] <= h - 1
        found = regions(drawing.block)
        for inner, outer in (("glyph", "line"), ("word", "line"), ("line", "paragraph")):
            outers = [r for r in found if r.level == outer]
            for region in (r for r in found if r.level == inner):
                assert not outers or any(_within(region.quad, o.quad) for o in outers), (index, region)
        for region in found:
            assert _within(region.quad, (0, 0, w, 0, w, h, 0, h)), (index, region)


@pytest.mark.parametrize("path", [PURE, GLYPHS])
def test_the_painted_text_is_exactly_what_the_glyph_quads_say(path: str) -> None:
    """The picture itself, not a repainting: outside all glyph quads there is only ground."""
    for index in range(40):
        sample = recipe(path, "colors.backgrounds={plain: 1}").render(index)
        picture = np.asarray(sample.image).astype(int)
        outside = np.ones(picture.shape[:2], bool)
        for region in sample.regions:
            if region.level == "glyph":
                x0, y0, _, _, x1, y1, _, _ = (int(v) for v in region.quad)
                outside[y0:y1, x0:x1] = False
        ground = picture[outside]
        assert (ground == ground[0]).all(), f"{path} {index}: ink outside the quads"
        assert (picture[~outside] != ground[0]).any()


def test_text_of_the_regions_is_the_text_of_the_sample_in_reading_order() -> None:
    for index in range(80):
        sample = recipe(PURE).render(index)
        by_level = {level: [r for r in sample.regions if r.level == level] for level in ("glyph", "word", "line")}
        assert "".join(r.text for r in by_level["glyph"]) == "".join(sample.text.split())
        assert "\n".join(r.text for r in by_level["line"]) == sample.text
        assert all(r.direction == "ltr" for r in sample.regions)
        if sample.text_language == "en":
            assert [r.text for r in by_level["word"]] == sample.text.split()


def test_ink_that_leaves_its_em_box_is_never_cut() -> None:
    """Accents above and tails below the em box, at sizes that leave no room to spare."""
    tight = recipe(
        GLYPHS, "contents=[{kind: charset, characters: ÅẪĝjǺ|Q}]", "layout={size: [40, 62], margin: 0.0, jitter: 9}"
    )
    for index in range(70):
        drawing = drawn(tight, index)
        box = ink_box(drawing.canvas, drawing.block)
        assert box is not None
        assert min(box[0], box[1]) >= 1, drawing.text
        assert box[2] <= drawing.canvas[0] - 1, drawing.text
        assert box[3] <= drawing.canvas[1] - 1, drawing.text


def test_pens_advance_as_the_font_says() -> None:
    for index in range(40):
        drawing = drawn(recipe(PURE, "contents=[{kind: paragraph}]"), index)
        face, size = drawing.block.face, drawing.block.size
        for line in drawing.block.lines:
            shaped = face.shape(line.text, drawing.text.language)
            width = sum(g.advance for g in shaped[:-1]) * size
            assert line.glyphs[-1].x - line.glyphs[0].x == pytest.approx(width, abs=0.02 * size)


def test_a_chinese_word_alone_has_a_word_region_and_a_single_character_has_none() -> None:
    words = recipe(PURE, "contents=[{kind: word, languages: {zh: 1}, length: [2, 4]}]")
    for index in range(20):
        sample = words.render(index)
        assert [r.text for r in sample.regions if r.level == "word"] == [sample.text]
    character = recipe(PURE, "contents=[{kind: charset, levels: [2]}]").render(0)
    assert [r.level for r in character.regions] == ["glyph", "line"]


def test_lines_do_not_overlap() -> None:
    for index in range(120):
        lines = [r.quad for r in recipe(PURE).render(index).regions if r.level == "line"]
        for upper, lower in itertools.pairwise(lines):
            assert upper[5] <= lower[1] + 1, index


def _within(inner: tuple[float, ...], outer: tuple[float, ...]) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[4] <= outer[4] and inner[5] <= outer[5]
