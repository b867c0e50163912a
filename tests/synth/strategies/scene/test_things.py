"""Things with a curve: what is printed on them follows it, inside its quads, on the thing and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synth.drawing import regions
from synth.drawing.bend import Cloth, Cylinder, Leaf
from synth.drawing.layers import Drawing, PictureLayer, TextLayer
from synth.drawing.paint import paint
from synth.geometry import area, grid, identity
from synth.photos import Photos, PhotoSource
from synth.strategies.scene.media import MEDIA, placed
from synth.strategies.scene.scene import SceneDrawer
from tests.synth.common import recipe
from tests.synth.test_geometry import alone, drawn, glyphs_of, ink, outside

SCENE = "configs/synth/scene.yaml"
BENT = [key for key, medium in MEDIA.items() if medium.draw(200, 200, np.random.default_rng(0)).bend]
SHORT = ("strategy.several=0", "contents=[{kind: line, length: [3, 12]}, {kind: word}]")


def test_six_things_are_bent() -> None:
    assert BENT == ["mug", "tin can", "bottle", "T-shirt", "flag", "open notebook"]


@pytest.mark.parametrize("key", BENT)
def test_ink_on_a_curve_stays_inside_its_quad_and_the_quad_is_tight(key: str) -> None:
    made = recipe(SCENE, *SHORT, f"strategy.media={{{key}: 1}}")
    for index in range(3):
        drawing = drawn(made, index).drawing
        (layer,) = drawing.texts
        assert layer.bend
        found = regions.of(drawing)
        glyphs = [r for r in found if r.level == "glyph"]
        for (row, column, glyph), region in zip(glyphs_of(layer), glyphs, strict=True):
            mask = ink(drawing.canvas, alone(layer, row, column))
            assert mask.any(), (index, glyph.text)
            assert outside(mask, region.quad) == 0, f"{index}: ink of '{glyph.text}' leaves its quad"
            rows, columns = np.nonzero(mask)
            boxed = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
            assert area(np.array(region.quad).reshape(4, 2)) < 1.5 * boxed + 6 * sum(
                np.ptp(v) + 4 for v in (rows, columns)
            )
        (line,) = (r for r in found if r.level in ("line",)) if len(layer.block.lines) == 1 else (None,)
        if line:
            whole = ink(drawing.canvas, layer)
            assert outside(whole, line.quad) == 0


@pytest.mark.parametrize("key", BENT)
@pytest.mark.parametrize("seed", range(4))
def test_the_room_for_text_is_on_the_thing(key: str, seed: int) -> None:
    carrier = MEDIA[key].draw(240.0, 240 / np.mean(MEDIA[key].aspect), np.random.default_rng(seed))
    assert carrier.bend
    solid = [
        layer for layer in carrier.layers if not isinstance(layer, PictureLayer) or layer.pixels[..., 3].max() == 255
    ]
    margin = 40
    shown = np.asarray(
        paint(Drawing((320, 900), tuple(_moved(layer, margin) for layer in solid if isinstance(layer, PictureLayer))))
    )
    points = carrier.bend.at(grid(carrier.room, 12, 12)) + margin
    at = np.rint(points).astype(int)
    blank = shown[1, 1]
    assert (shown[at[:, 1], at[:, 0]] != blank).any(axis=1).mean() > 0.97  # black print on black is blank, too


def _moved(layer: PictureLayer, by: float) -> PictureLayer:
    moved = placed(layer, np.array([[1.0, 0, by], [0, 1, by], [0, 0, 1]]))
    assert isinstance(moved, PictureLayer)
    return moved


def test_print_on_a_cylinder_narrows_and_turns_towards_its_sides() -> None:
    bend = Cylinder(identity(), radius=100, middle=200, top=10, drop=0.3)
    left, middle, right = (bend.at(np.array([(x - 5.0, 40.0), (x + 5.0, 40.0)])) for x in (-90, 0, 90))
    width = [float(np.linalg.norm(b - a)) for a, b in (left, middle, right)]
    assert width[1] == pytest.approx(10, abs=0.01)
    assert width[0] == pytest.approx(width[2])
    assert width[0] < 0.75 * width[1]
    assert left[1, 1] > left[0, 1]  # it hangs down in front
    assert right[1, 1] < right[0, 1]
    assert middle.mean(axis=0) == pytest.approx((200, 10 + 40 + 30), abs=0.05)


def test_a_page_is_darkest_in_its_gutter_and_keeps_its_edges() -> None:
    for side, gutter, edge in ((1, 0.0, 100.0), (-1, 100.0, 0.0)):
        leaf = Leaf(identity(), width=100, height=8, gutter=200, side=side)
        light = leaf.light(np.array([(gutter, 5.0), (50.0, 5.0), (edge, 5.0)]))
        assert light[0] < 0.6 < light[2]
        ends = leaf.at(np.array([(gutter, 5.0), (edge, 5.0)]))
        assert ends == pytest.approx(np.array([(200, 5), (200 + 100 * side, 5)]), abs=1e-6)


def test_a_bend_is_never_darker_than_the_colors_on_it_bear() -> None:
    cloth = Cloth(identity(), waves=((0.1, 0.0, 0.0, 9.0),), darkest=0.8)
    assert cloth.light(grid((0, 0, 200, 200), 20, 20)).min() == 0.8


def test_flat_cloth_is_painted_where_a_flat_sheet_is() -> None:
    flat = (
        "strategy.media={none: 1}",
        "effects.weights={plain: 1}",
        "strategy.perspective=[0, 0]",
        "strategy.turn=[0, 0]",
    )
    drawing = drawn(recipe(SCENE, *SHORT, *flat), 1).drawing
    (layer,), canvas = drawing.texts, drawing.canvas
    plain = TextLayer(layer.block, layer.style, layer.matrix)
    bent = TextLayer(layer.block, layer.style, layer.matrix, bend=Cloth(identity()))
    one, two = (ink(canvas, each).astype(float) for each in (plain, bent))
    assert np.abs(one - two).mean() < 0.02
    quads = [np.array([r.quad for r in regions.layer_regions(each) if r.level == "glyph"]) for each in (plain, bent)]
    assert np.abs(quads[0] - quads[1]).max() < 3


def test_what_stands_on_the_ground_stands_in_photographs_that_have_one() -> None:
    made = recipe(SCENE, *SHORT, "strategy.media={billboard: 1, flag: 1, storefront: 1, mug: 1}")
    drawer = made.drawer
    assert isinstance(drawer, SceneDrawer)
    kinds: dict[str, set[str | None]] = {"ground": set(), "table": set()}
    for index in range(40):
        picture = drawn(made, index)
        assert picture.backdrop
        assert picture.medium
        kinds[MEDIA[picture.medium].held[0]].add(picture.backdrop.kind)
    assert kinds["ground"] <= {"building", "nature", "street", "wall"}
    assert kinds["table"]
    assert "people" not in kinds["table"]  # a face would be out of focus


def test_the_kind_of_a_photograph_is_part_of_the_digest() -> None:
    photos = Photos((PhotoSource(collection="free"),), "photos")
    before = photos.digest
    source, found = photos._sources[0]
    photos._sources[0] = (source, [replace(each, kind="wall") for each in found])
    assert photos.digest != before
