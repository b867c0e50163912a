"""Walls in front of photographs: what of the photograph is seen, and where something may hang."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synth.drawing.layers import Drawing, PictureLayer
from synth.drawing.paint import paint
from synth.geometry import identity
from synth.photos import Photos, PhotoSource
from synth.strategies.scene.media import MEDIA
from synth.strategies.scene.wall import View, corner_of, fastenings, front, room, room_of
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn

SCENE = "configs/synth/scene.yaml"
CANVASES = [(256, 256), (336, 192), (192, 336), (1024, 640)]
RED = (255, 0, 0)


def backdrop_of(canvas: tuple[int, int], seed: int = 0):
    return Photos((PhotoSource(collection="free", kinds=("building", "animal")),), "photos").choose(
        canvas, np.random.default_rng(seed)
    )


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("found", [room_of, corner_of])
def test_what_hangs_there_is_on_the_canvas_and_beside_the_photograph(found, canvas: tuple[int, int]) -> None:
    for seed in range(30):
        view: View = found(canvas, np.random.default_rng(seed))
        x0, y0, x1, y1 = view.free
        assert 0 < x0 < x1 < canvas[0]
        assert 0 < y0 < y1 < canvas[1]
        assert min(x1 - x0, y1 - y0) > 0.4 * min(canvas)
        left, top, right, bottom = view.seen
        assert right <= x0 or left >= x1 or bottom <= y0 or top >= y1


@pytest.mark.parametrize("canvas", CANVASES)
def test_the_photograph_fills_what_is_seen_of_it(canvas: tuple[int, int]) -> None:
    for seed in range(10):
        view = room_of(canvas, np.random.default_rng(seed))
        scale, left, top = (view.onto(backdrop_of(canvas, seed))[i, j] for i, j in ((0, 0), (0, 2), (1, 2)))
        x0, y0, x1, y1 = view.seen
        assert left <= x0 + 1e-6
        assert top <= y0 + 1e-6
        assert left + scale * canvas[0] >= x1 - 1e-6
        assert top + scale * canvas[1] >= y1 - 1e-6


def test_subjects_are_where_they_are_painted() -> None:
    canvas = (400, 300)
    for seed in range(12):
        backdrop = backdrop_of(canvas, seed)
        view = room_of(canvas, np.random.default_rng(seed))
        for x0, y0, x1, y1 in view.subjects(backdrop):
            assert view.seen[0] <= x0 < x1 <= view.seen[2]
            assert view.seen[1] <= y0 < y1 <= view.seen[3]


@pytest.mark.parametrize("painted", [room, front])
def test_the_photograph_is_seen_there_and_nowhere_else(painted) -> None:
    canvas = (400, 300)
    pixels = np.full((300, 400, 3), RED, np.uint8)
    view = (room_of if painted is room else corner_of)(canvas, np.random.default_rng(3))
    image = np.asarray(paint(Drawing(canvas, painted(pixels, identity(), view, np.random.default_rng(0))))).astype(int)
    red = (image[..., 0] > 230) & (image[..., 1] < 20)
    x0, y0, x1, y1 = (round(v) for v in view.free)
    assert not red[y0:y1, x0:x1].any()
    left, top, right, bottom = (max(round(v), 0) for v in view.seen)
    assert red[top:bottom, left:right].mean() > 0.6


def test_things_hang_within_the_wall_and_paper_is_fastened() -> None:
    hung = recipe(
        "configs/synth/scene.yaml",
        "strategy.media={poster: 1, sticky note: 1}",
        "strategy.several=0",
        "contents=[{kind: sign}]",
    )
    on_walls = 0
    for index in range(12):
        made = drawn(hung, index)
        assert made.medium in MEDIA
        tiles = [layer for layer in made.drawing.layers if isinstance(layer, PictureLayer) and layer.clip]
        on_walls += bool(tiles)
        for layer in made.drawing.texts:
            x0, y0, x1, y1 = layer.bounds()
            assert x0 > 0
            assert y0 > 0
            assert x1 < made.drawing.canvas[0]
            assert y1 < made.drawing.canvas[1]
    assert on_walls > 6
    kinds = {len(fastenings(80.0, 60.0, identity(), np.random.default_rng(seed))) for seed in range(20)}
    assert kinds == {1, 3}  # tape, or a pin with its shadow and its light


def test_what_hangs_on_a_wall_does_not_stand_and_a_shirt_hangs_beside_the_window() -> None:
    shirts = recipe(SCENE, "strategy.media={T-shirt: 1}", "contents=[{kind: word}]")
    for index in range(4):
        made = drawn(shirts, index)
        window = next(layer for layer in made.drawing.layers if isinstance(layer, PictureLayer) and layer.clip)
        left, right = window.clip[0][0], window.clip[1][0]
        for layer in made.drawing.texts:
            x0, _, x1, _ = layer.bounds()
            assert x1 < left or x0 > right or window.clip[2][1] < layer.bounds()[1]


def test_a_photograph_without_colors_stands_behind_no_colored_thing_where_there_are_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gray = np.repeat(rng.integers(60, 200, (300, 300, 1), dtype=np.uint8), 3, axis=2)
    for name, pixels in (("gray.png", gray), ("blue.png", gray // 2 + np.array((0, 40, 90), np.uint8))):
        Image.fromarray(pixels).save(tmp_path / name)
    photos = f"strategy.photos=[{{path: {tmp_path}}}]"
    things = recipe(SCENE, photos, "strategy.media={mug: 1}", "contents=[{kind: word}]")
    for index in range(12):
        assert not drawn(things, index).backdrop.gray, index
    only = recipe(SCENE, photos.replace(str(tmp_path), str(tmp_path / "gray.png")), "strategy.media={mug: 1}")
    assert drawn(only, 0).backdrop.gray  # better than none
