"""What an instruction does not name stays: every attribute of the edited text, of the others and of the ground."""

from __future__ import annotations

from typing import Any

import pytest

from synth.drawing.layers import TextLayer
from synth.strategies.base import Composition
from synth.strategies.edit.operations import OPERATIONS
from synth.typeset.layout import SLACK
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn

EDIT = "configs/synth/edit.yaml"
EFFECTS = "effects.weights={plain: 1, stroke: 2, hollow: 1, shadow: 2, glow: 1}"
SET = (
    "layout.line_spacing=[1.1, 2.0]",
    "layout.letter_spacing=[0, 0.2]",
    "layout.align={left: 1, center: 1, right: 1}",
    "canvases=[{size: [416, 320]}]",  # on smaller ones sentences are too small for an effect
)
VALIGN = "layout.valign={top: 1, middle: 1, bottom: 1}"
SEEDS = 24
MAY_CHANGE = {
    "replace": {"text"},
    "translate": {"text", "face"},
    "recolor": {"color"},
    "restyle": {"effects", "stroke", "width", "shadows", "fill"},
    "move": {"place"},
}


def attributes(pair: Composition, layer: TextLayer) -> dict[str, Any]:
    """All that a person can tell of a text."""
    block, style = layer.block, layer.style
    font = next(f for f in pair.fonts if any(f.face(w) is block.face for w in f.wghts))
    return {
        "text": block.text,
        "face": (font.family, block.face.weight),
        "kind of face": (font.source.style, font.handwriting),
        "size": round(block.size, 6),
        "direction": (block.direction, block.curved),
        "color": style.color.en,
        "fill": style.fill is not None,
        "gradient": (style.to, style.angle),
        "effects": layer.effects,
        "stroke": style.stroke if style.fill else None,
        "width": style.width,
        "shadows": style.shadows,
        "light": layer.light,
        "turn": layer.matrix[:2, :2].tolist(),
        "blend": (layer.alpha, layer.blend),
        "place": layer.matrix[:2, 2].tolist(),
    }


def changed_text(pair: Composition) -> tuple[TextLayer, TextLayer]:
    assert pair.source is not None
    (old,) = [t for t in pair.source.texts if t not in pair.drawing.texts]
    (new,) = [t for t in pair.drawing.texts if t not in pair.source.texts]
    return old, new


@pytest.mark.parametrize("operation", MAY_CHANGE)
def test_only_what_the_instruction_names_changes(operation: str) -> None:
    edits = recipe(EDIT, f"strategy.operations={{{operation}: 1}}", EFFECTS, *SET, VALIGN)
    for index in range(SEEDS):
        pair = drawn(edits, index)
        old, new = changed_text(pair)
        before, after = attributes(pair, old), attributes(pair, new)
        may = MAY_CHANGE[operation] | ({"place"} if "text" in MAY_CHANGE[operation] else set())
        assert {name for name in before if before[name] != after[name]} <= may, index
        assert abs(old.block.face.weight - new.block.face.weight) <= 150, index
        others = [t for t in pair.source.texts if t is not old]
        assert others == [t for t in pair.drawing.texts if t is not new], index
        assert [x for x in pair.source.layers if x is not old] == [x for x in pair.drawing.layers if x is not new]
        if operation == "restyle":
            assert set(before["effects"]) < set(after["effects"]), index
        if operation == "recolor":
            assert before["color"] != after["color"], index


@pytest.mark.parametrize("operation", ["replace", "translate"])
def test_a_new_text_is_aligned_as_the_old_one_was(operation: str) -> None:
    """Where the old text was flush or centered the new one is, to the ink's own side bearings."""
    for align in ("left", "center", "right"):
        edits = recipe(
            EDIT, f"strategy.operations={{{operation}: 1}}", f"layout.align={{{align}: 1}}", "strategy.photographed=0"
        )
        for index in range(6):
            old, new = changed_text(drawn(edits, index))
            (a0, a1), (b0, b1) = (
                (t.matrix[0, 2] + t.block.box[0], t.matrix[0, 2] + t.block.box[2]) for t in (old, new)
            )
            at = SLACK[align]  # type: ignore[index]
            assert a0 + at * (a1 - a0) == pytest.approx(b0 + at * (b1 - b0), abs=0.5), (align, index)


@pytest.mark.parametrize("operation", ["add", "remove", "background", "reconstruct"])
def test_texts_that_stay_are_the_same_layers(operation: str) -> None:
    edits = recipe(EDIT, f"strategy.operations={{{operation}: 1}}", EFFECTS)
    for index in range(SEEDS):
        pair = drawn(edits, index)
        before, after = pair.source.texts, pair.drawing.texts
        fewer, more = sorted((before, after), key=len)
        assert [t for t in more if t in fewer] == fewer
        assert len(more) - len(fewer) == (operation in ("add", "remove"))
        same_ground = [x for x in pair.source.layers if not isinstance(x, TextLayer)] == [
            x for x in pair.drawing.layers if not isinstance(x, TextLayer)
        ]
        assert same_ground == (operation != "background"), index


def test_every_operation_is_held_to_it() -> None:
    assert set(MAY_CHANGE) | {"add", "remove", "background", "reconstruct"} == set(OPERATIONS)


def test_an_effect_is_given_to_texts_that_have_none() -> None:
    edits = recipe(EDIT, "strategy.operations={restyle: 1}", EFFECTS, *SET, VALIGN)
    pairs = [changed_text(drawn(edits, index)) for index in range(SEEDS)]
    assert {len(old.effects) for old, _ in pairs} == {0}
    assert {len(new.effects) for _, new in pairs} == {1}
