"""Edit pairs of templates: one text differs, nothing else does, and another text contradicts nothing."""

from __future__ import annotations

import numpy as np
import pytest

from configs import UserError
from synth import Recipe
from synth.drawing.layers import TextLayer
from synth.strategies.base import Composition
from synth.strategies.edit.on_template import ON_TEMPLATES
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn

DESIGNED = "configs/synth/edit-template.yaml"


def only(operation: str, *more: str) -> Recipe:
    return recipe(DESIGNED, f"strategy.operations={{{operation}: 1}}", *more)


def differing(pair: Composition) -> tuple[list[TextLayer], list[TextLayer]]:
    """The texts that only the first picture has, and those that only the second one has."""
    assert pair.source
    before, after = pair.source.texts, pair.drawing.texts
    return [t for t in before if t not in after], [t for t in after if t not in before]


@pytest.mark.parametrize(("operation", "counts"), [("replace", (1, 1)), ("add", (0, 1)), ("remove", (1, 0))])
def test_one_text_differs_and_is_quoted_and_all_else_is_the_same_layer(operation: str, counts: tuple[int, int]) -> None:
    edits = only(operation)
    for index in range(8):
        sample, pair = edits.render(index), drawn(edits, index)
        gone, new = differing(pair)
        assert (len(gone), len(new)) == counts
        said = _flat(sample.instructions[0].text)
        quoted = gone if operation == "remove" else new
        assert all(_flat(layer.block.text) in said for layer in quoted), said
        others = [layer for layer in pair.source.layers if layer not in gone]
        assert others == [layer for layer in pair.drawing.layers if layer not in new]
        boxes = [layer.bounds() for layer in (*gone, *new)]
        changed = (np.asarray(pair.reference).astype(int) != np.asarray(pair.image).astype(int)).any(axis=2)
        for x0, y0, x1, y1 in boxes:
            changed[max(int(y0) - 1, 0) : int(y1) + 2, max(int(x0) - 1, 0) : int(x1) + 2] = False
        assert not changed.any()
        assert (sample.task, sample.medium) == ("ti2i", pair.medium)


def test_another_text_has_the_size_face_style_and_role_of_the_first() -> None:
    for index in range(8):
        (old,), (new,) = differing(drawn(only("replace"), index))
        assert (old.style, old.role, old.block.size, old.block.face) == (
            new.style,
            new.role,
            new.block.size,
            new.block.face,
        )
        assert old.block.text != new.block.text


def test_recoloring_changes_the_color_alone_to_one_that_can_be_read() -> None:
    for index in range(8):
        pair = drawn(only("recolor"), index)
        (old,), (new,) = differing(pair)
        assert old.block is new.block
        assert old.style.color.en != new.style.color.en
        assert pair.change.color_after == new.style.color


def test_what_belongs_together_is_not_replaced() -> None:
    """A section of a menu, a number, what another text repeats: another one would be false."""
    for index in range(12):
        (old,), (new,) = differing(drawn(only("replace"), index))
        assert not any(character.isdigit() for character in old.block.text + new.block.text)
        assert old.role not in ("section", "dish", "point", "price", "date", "total")


def test_nothing_is_changed_for_a_reconstruction() -> None:
    sample = only("reconstruct").render(0)
    assert sample.task == "i2i"
    assert sample.reference is sample.image


def test_operations_that_no_design_bears_are_refused_or_left_to_plain_grounds() -> None:
    assert {"move", "restyle", "translate", "background"}.isdisjoint(ON_TEMPLATES)
    with pytest.raises(UserError, match="operations: templates take replace, add, remove, recolor, reconstruct"):
        Recipe.load(DESIGNED, ["strategy.operations={move: 1}"])
    with pytest.raises(UserError, match="contents must hold at least one entry"):
        Recipe.load(DESIGNED, ["strategy.templated=0.5"])
    both = "strategy.operations={move: 1, recolor: 1}"
    mixed = recipe(DESIGNED, both, "strategy.templated=0.5", "contents=[{kind: sign}]")
    media = [(drawn(mixed, index).change.operation, drawn(mixed, index).medium) for index in range(16)]
    assert {operation for operation, medium in media if medium} == {"recolor"}
    assert "move" in {operation for operation, medium in media if not medium}


def _flat(text: str) -> str:
    return "".join(text.split())
