"""Nothing hangs in the air: what is not on a wall stands on the ground, on posts or on a table, or hangs by ropes."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from synth.drawing.layers import PictureLayer, ShapeLayer
from synth.geometry import is_shift
from synth.language import is_han
from synth.photo_list import Kind
from synth.strategies.scene.carrier import Medium
from synth.strategies.scene.holding import Holding, Stage, corners_of, foot_of, holdings, supports
from synth.strategies.scene.media import MEDIA
from synth.strategies.scene.scene import SceneDrawer
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn

SCENE = "configs/synth/scene.yaml"
CANVAS = (320, 240)


def _strategy():
    drawer = recipe(SCENE).drawer
    assert isinstance(drawer, SceneDrawer)
    return drawer.strategy


def test_a_medium_that_ships_is_held_by_something_in_some_photograph_and_none_is_free() -> None:
    for medium in MEDIA.values():
        assert "free" not in medium.held, medium.en
        assert any(holdings(medium.held, kind) for kind in get_args(Kind)), medium.en
    assert Medium.__dataclass_fields__["held"].default == ("free",)  # of one's own: as it always was


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("board", ("hung", "table")),
        ("wall", ("lying", "table", "ground", "post", "line", "roped", "wall", "front", "desk")),
        ("closeup", ("table",)),
        ("animal", ("table",)),
        ("street", ("lying", "table", "ground", "post", "line", "roped", "wall", "front", "desk")),
    ],
)
def test_petals_have_no_ground_and_facades_nothing_to_hang_on(kind: Kind, held: tuple[Holding, ...]) -> None:
    every: tuple[Holding, ...] = tuple(one for one in get_args(Holding) if one != "free")
    assert holdings(every, kind) == held
    assert holdings(every, None) == every


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("nature", ("lying", "line", "wall", "front", "desk")),
        ("animal", ()),
        ("street", ("lying", "ground", "post", "line", "roped", "wall", "front", "desk")),
    ],
)
def test_what_has_nothing_to_do_with_a_photograph_is_in_a_room_on_a_wall_or_on_a_street(
    kind: Kind, held: tuple[Holding, ...]
) -> None:
    every: tuple[Holding, ...] = tuple(one for one in get_args(Holding) if one != "free")
    assert holdings(every, kind, near=False) == held


@pytest.mark.parametrize("holding", ["hung", "lying", "table", "ground", "post", "line", "roped"])
def test_a_box_is_where_its_holding_wants_it(holding: Holding) -> None:
    stage = Stage(holding, tuple, 60.0 if holding == "lying" else 190.0, 220.0 if holding == "table" else 240.0)
    rng = np.random.default_rng(0)
    for _ in range(40):
        corners = corners_of(stage, 90.0, 60.0, CANVAS, _strategy(), rng)
        assert corners is not None
        assert corners.min() >= 0
        assert (corners <= (*CANVAS,)).all()
        if holding in ("table", "ground"):
            assert corners[2:, 1] == pytest.approx(stage.floor)
        if holding == "lying":
            assert corners[:, 1].min() > stage.edge
        if holding == "post":
            assert corners[:, 1].max() < 0.9 * CANVAS[1] + 1


def test_what_lies_further_off_is_narrower() -> None:
    stage, widths = Stage("lying", tuple, 20.0, 240.0), []
    for seed in range(60):
        corners = corners_of(stage, 60.0, 40.0, CANVAS, _strategy(), np.random.default_rng(seed))
        assert corners is not None
        widths.append((float(corners[:, 1].mean()), float(np.ptp(corners[:, 0]))))
    near = [w for y, w in widths if y > 170]
    far = [w for y, w in widths if y < 90]
    assert np.mean(far) < 0.97 * np.mean(near)


def test_posts_reach_the_lower_edge_and_ropes_both_sides() -> None:
    corners = np.array([(100.0, 80), (220, 84), (220, 130), (100, 126)])
    rng = np.random.default_rng(0)
    posts = [layer for layer in supports(Stage("post", tuple), corners, CANVAS, rng) if isinstance(layer, ShapeLayer)]
    assert len(posts) == 4  # two, each with its light side
    assert all(layer.points[3] > CANVAS[1] and layer.points[1] < 130 for layer in posts)
    ropes = [layer for layer in supports(Stage("roped", tuple), corners, CANVAS, rng) if isinstance(layer, ShapeLayer)]
    assert {layer.points[2] for layer in ropes} == {-2.0, CANVAS[0] + 2.0}
    _, peg, *_ = supports(Stage("line", tuple), corners, CANVAS, rng)
    assert isinstance(peg, ShapeLayer)
    assert peg.points[0] < 160 < peg.points[2]
    base = foot_of("stand", corners, 200.0)[-1]
    assert isinstance(base, ShapeLayer)
    assert base.points[1] < 200 < base.points[3]


def test_several_texts_share_posts_or_a_table() -> None:
    media = "strategy.media={street sign: 1, sticky note: 1}"
    several = recipe(SCENE, "strategy.several=1", media, "contents=[{kind: word}]")
    seen = set()
    for index in range(80):  # until both have come
        if seen == {"lying", "post"}:
            break
        made = drawn(several, index)
        if len(made.media) < 2:
            continue
        held = [set(MEDIA[key].held) if key else {"hung", "post"} for key in made.media]
        shared = set.intersection(*held)
        assert shared, made.media
        pictures = [layer for layer in made.drawing.layers if isinstance(layer, PictureLayer)]
        assert any(picture.pixels.shape[1::-1] == made.drawing.canvas for picture in pictures)
        seen |= {"lying", "post"} & shared
    assert seen == {"lying", "post"}


def test_a_long_text_is_not_given_to_what_carries_few_words() -> None:
    mixed = recipe(SCENE, "strategy.several=0", "contents=[{kind: sentence, length: [30, 50], languages: {zh: 1}}]")
    told = [(made.text.text, MEDIA[made.medium].most) for index in range(25) if (made := drawn(mixed, index)).medium]
    assert len(told) > 15
    for text, most in told:
        assert not most or sum(1.0 if is_han(character) else 0.5 for character in text) <= most
    assert sum(most > 0 for _, most in told) < len(told) / 2
    alone = recipe(
        SCENE, "strategy.media={tin can: 1}", "contents=[{kind: sentence, length: [26, 32], languages: {zh: 1}}]"
    )
    assert drawn(alone, 0).medium == "tin can"  # where there is nothing else, it has to


def test_text_on_signs_stands_in_their_middle() -> None:
    signs = recipe(
        SCENE, "strategy.several=0", "strategy.media={banner: 1}", "contents=[{kind: word}]", "layout.align={left: 1}"
    )
    for index in range(6):
        made = drawn(signs, index)
        (layer,) = made.drawing.texts
        panel = next(
            each
            for each in made.drawing.layers
            if isinstance(each, ShapeLayer)
            and each.kind == "rect"
            and each.fill
            and not each.blur
            and not is_shift(each.matrix)
        )
        x0, _, x1, _ = panel.points
        left, top, right, bottom = layer.block.box
        middle = layer.at(np.array([((left + right) / 2, (top + bottom) / 2)]))[0]
        ends = np.array([(x0, 0.0), (x1, 0.0)])
        moved = ends @ panel.matrix[:2, :2].T + panel.matrix[:2, 2]
        assert abs(middle[0] - moved[:, 0].mean()) < 0.12 * float(np.ptp(moved[:, 0]))
