"""Boxes against pixels: every glyph's ink is inside its quad, the quad is tight, nothing is cut off."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from synth.drawing import regions
from synth.drawing.colors import PALETTE, Ground
from synth.drawing.layers import Drawing, GroundLayer, TextLayer
from synth.drawing.paint import paint
from synth.recipe import Recipe
from synth.typeset.marks import compressed
from tests.synth.common import GLYPHS, PURE, SHIPPED, recipe

WHITE = GroundLayer(Ground((PALETTE["white"],)))
FANCY = (
    "layout.directions={horizontal: 1, vertical: 2, curved: 2}",
    "layout.align={left: 1, justify: 3, center: 1}",
    "layout.indent=2",
    "layout.rotate=[-8, 8]",
    "effects.min_size=8",
    "effects.weights={plain: 1, stroke: 2, hollow: 2, shadow: 1, glow: 1, gradient: 1}",
)


def drawn(recipe_: Recipe, index: int):
    """What a sample is painted from."""
    return recipe_._drawn(index).composition


def ink(canvas: tuple[int, int], layer: TextLayer) -> np.ndarray:
    """(h, w) bool: pixels that the text alone changes, painted in black on white without shadow, glow and finish."""
    style = replace(layer.style, shadows=(), to=None, finish=None)
    style = replace(style, fill=style.fill and PALETTE["black"], stroke=style.stroke and PALETTE["black"])
    text = replace(layer, style=style, light=None, alpha=1.0, blend="normal")
    return np.asarray(paint(Drawing(canvas, (WHITE, text)))).min(axis=2) < 255


def ink_box(canvas: tuple[int, int], layer: TextLayer) -> tuple[int, int, int, int] | None:
    """``ink`` as a box (x0 y0 x1 y1, ends exclusive)."""
    changed = ink(canvas, layer)
    ys, xs = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return (int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1) if len(xs) else None


def alone(layer: TextLayer, row: int, column: int) -> TextLayer:
    """The layer with one glyph left, at its place."""
    line = layer.block.lines[row]
    return replace(layer, block=replace(layer.block, lines=(replace(line, glyphs=(line.glyphs[column],)),)))


def outside(mask: np.ndarray, quad: tuple[float, ...]) -> int:
    """How many pixels of a mask have their middle outside of a quad."""
    ys, xs = np.nonzero(mask)
    points, corners = np.stack((xs + 0.5, ys + 0.5), axis=1), np.array(quad).reshape(4, 2)
    edges, away = np.roll(corners, -1, axis=0) - corners, points[:, None] - corners[None]
    sides = edges[None, :, 0] * away[..., 1] - edges[None, :, 1] * away[..., 0]
    return int((sides < -1e-6).any(axis=1).sum())


def glyphs_of(layer: TextLayer):
    """(row, column, glyph) of every visible glyph, in order."""
    for row, line in enumerate(layer.block.lines):
        for column, glyph in enumerate(line.glyphs):
            if glyph.bounds:
                yield row, column, glyph


@pytest.mark.parametrize(("path", "indices"), [(PURE, range(40)), (GLYPHS, range(60))])
def test_each_glyph_alone_stays_inside_its_quad_and_the_quad_is_tight(path: str, indices: range) -> None:
    checked = 0
    for index in indices:
        drawing = drawn(recipe(path), index).drawing
        (layer,) = drawing.texts
        quads = iter([r for r in regions.of(drawing) if r.level == "glyph"])
        for row, column, glyph in glyphs_of(layer):
            region = next(quads)
            assert region.text == glyph.text
            box = ink_box(drawing.canvas, alone(layer, row, column))
            assert box is not None, f"{path} {index}: '{glyph.text}' left no ink"
            x0, y0, _, _, x1, y1, _, _ = region.quad
            slack = (box[0] - x0, box[1] - y0, x1 - box[2], y1 - box[3])
            assert min(slack) >= 0, f"{path} {index}: ink of '{glyph.text}' leaves its quad"
            assert max(slack) <= 1, f"{path} {index}: quad of '{glyph.text}' is loose by {max(slack)} px"
            checked += 1
        assert next(quads, None) is None
    assert checked > len(indices)


def test_turned_curved_vertical_and_stroked_glyphs_stay_inside_their_quads() -> None:
    seen, wanted = set(), {"plain", "stroke", "hollow", "shadow", "glow", "gradient", "ltr", "ttb", False, True}
    for index in range(200):  # 90, and until all have come
        if index >= 90 and seen == wanted:
            break
        drawing = drawn(recipe(PURE, *FANCY), index).drawing
        (layer,) = drawing.texts
        glyphs = [r for r in regions.of(drawing) if r.level == "glyph"]
        for (row, column, glyph), region in zip(glyphs_of(layer), glyphs, strict=True):
            mask = ink(drawing.canvas, alone(layer, row, column))
            assert region.text == glyph.text
            assert mask.any(), (index, glyph.text)
            assert outside(mask, region.quad) == 0, f"{index}: ink of '{glyph.text}' leaves its quad"
            assert _area(region.quad) < 1.6 * _bounding(mask) + 60, f"{index}: the quad of '{glyph.text}' is loose"
        whole = ink(drawing.canvas, layer)
        lines = [r.quad for r in regions.of(drawing) if r.level == "line"]
        assert all(outside(whole, quad) < whole.sum() for quad in lines)
        border = np.concatenate((whole[0], whole[-1], whole[:, 0], whole[:, -1]))
        assert not border.any(), index
        seen |= {layer.style.effect, layer.block.direction, layer.block.curved}
    assert seen == wanted


def test_shipped_pure_recipe_keeps_ink_in_quads_and_on_the_canvas() -> None:
    several = 0
    for index in range(60):
        drawing = drawn(recipe(SHIPPED), index).drawing
        several += len(drawing.texts) > 1
        for layer in drawing.texts:
            whole = ink(drawing.canvas, layer)
            border = np.concatenate((whole[0], whole[-1], whole[:, 0], whole[:, -1]))
            assert not border.any(), index
            glyphs = [r for r in regions.layer_regions(layer) if r.level == "glyph"]
            for (row, column, glyph), region in list(zip(glyphs_of(layer), glyphs, strict=True))[
                :: 1 + len(glyphs) // 12
            ]:
                mask = ink(drawing.canvas, alone(layer, row, column))
                assert region.text == glyph.text
                assert mask.any(), (index, glyph.text)
                assert outside(mask, region.quad) == 0, f"{index}: ink of '{glyph.text}' leaves its quad"
    assert several > 2


def _area(quad: tuple[float, ...]) -> float:
    x, y = np.array(quad[::2]), np.array(quad[1::2])
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def _bounding(mask: np.ndarray) -> int:
    ys, xs = np.nonzero(mask)
    return int((np.ptp(xs) + 2) * (np.ptp(ys) + 2))


@pytest.mark.parametrize("path", [PURE, GLYPHS])
def test_no_ink_touches_the_border_and_glyphs_lie_inside_lines_and_lines_inside_paragraphs(path: str) -> None:
    for index in range(150):
        drawing = drawn(recipe(path), index).drawing
        w, h = drawing.canvas
        box = ink_box(drawing.canvas, drawing.texts[0])
        assert box is not None
        assert box[0] >= 1
        assert box[1] >= 1
        assert box[2] <= w - 1
        assert box[3] <= h - 1
        found = regions.of(drawing)
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
        drawing = drawn(tight, index).drawing
        box = ink_box(drawing.canvas, drawing.texts[0])
        assert box is not None
        assert min(box[0], box[1]) >= 1, index
        assert box[2] <= drawing.canvas[0] - 1, index
        assert box[3] <= drawing.canvas[1] - 1, index


def test_pens_advance_as_the_font_says() -> None:
    for index in range(40):
        drawing = drawn(recipe(PURE, "contents=[{kind: paragraph}]"), index)
        block = drawing.drawing.texts[0].block
        face, size = block.face, block.size
        for line in block.lines:
            shaped = face.shape(line.text, drawing.text.language)
            if drawing.text.language == "zh":
                shaped = compressed(face, line.text, shaped, vertical=False)  # less what marks side by side give up
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


def test_neighbours_on_an_arc_do_not_lie_on_each_other() -> None:
    curved = recipe(
        SHIPPED,
        "layout.directions={curved: 1}",
        "contents=[{kind: balanced, words: [1, 2]}]",
        "effects.weights={plain: 1}",
        "strategy.several=0",
    )
    shared = total = 0
    for index in range(25):
        made = drawn(curved, index)
        (layer,) = made.drawing.texts
        masks = [ink(made.drawing.canvas, alone(layer, row, column)) for row, column, _ in glyphs_of(layer)]
        shared += sum(int((a & b).sum()) for a, b in itertools.pairwise(masks))
        total += sum(int(mask.sum()) for mask in masks)
    assert shared < 0.01 * total
