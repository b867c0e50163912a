"""Bilingual twins: the same picture but for the language; one pair; edits that translate."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from configs import UserError
from pipeline.decide.same_text import text_groups
from pipeline.sources.synth import sample_row
from synth import Recipe
from synth.corpus.builtin import pairs
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn
from trainer.monitor.config import ValidationConfig
from trainer.order.held_out import marked

TWINS = "configs/synth/twins.yaml"


@pytest.mark.parametrize("k", range(8))
def test_twins_differ_in_their_text_alone(k: int) -> None:
    one, other = (drawn(recipe(TWINS), 2 * k + side) for side in (0, 1))
    assert (one.text.text, other.text.text) in pairs()
    assert (one.text.language, other.text.language) == ("en", "zh")
    (a,), (b,) = one.drawing.texts, other.drawing.texts
    assert one.drawing.canvas == other.drawing.canvas
    assert (a.style, a.block.size, one.ground) == (b.style, b.block.size, other.ground)
    changed = (np.asarray(one.image) != np.asarray(other.image)).any(2)
    for layer in (a, b):
        x0, y0, x1, y1 = layer.bounds()
        changed[max(int(y0), 0) : int(y1) + 1, max(int(x0), 0) : int(x1) + 1] = False
    assert not changed.any()


def test_a_pair_has_one_name_and_no_two_pairs_have() -> None:
    rows = [sample_row(recipe(TWINS).render(index)) for index in range(12)]
    names = [row["pair"] for row in rows]
    assert names[::2] == names[1::2]
    assert len(set(names)) == 6
    assert len({row["id"] for row in rows} | set(names)) == 18
    assert sample_row(Recipe.load("configs/synth/glyphs.yaml").render(0))["pair"] is None


def test_twins_are_no_copies_of_each_other() -> None:
    texts = [recipe(TWINS).render(index).text for index in range(12)]
    groups, _ = text_groups(pl.Series(texts))
    assert all(a != b for a, b in zip(groups[::2].tolist(), groups[1::2].tolist(), strict=True))


def test_a_twin_of_a_held_out_row_is_held_out() -> None:
    index = pa.table({"id": ["a", "b", "c", "d", "e"], "pair": ["1", "1", "2", "2", None]})
    found = marked(index, ValidationConfig(where="id == 'b' or id == 'e'", every=1))
    assert found["held_out"].to_pylist() == [True, True, False, False, True]


def test_twins_serve_as_edits_that_translate() -> None:
    edits = recipe(TWINS, "strategy.edits=1")
    for index in range(4):
        sample, twin = edits.render(index), edits.render(index ^ 1)
        assert sample.task == "ti2i"
        assert not sample.captions
        assert np.array_equal(np.asarray(sample.reference), np.asarray(twin.image))
        before = " ".join(twin.text.split()) if twin.text_language == "en" else "".join(twin.text.split())
        after = " ".join(sample.text.split()) if sample.text_language == "en" else "".join(sample.text.split())
        assert before in sample.instructions[0].text or after in sample.instructions[0].text


def test_only_pairs_can_be_twins() -> None:
    with pytest.raises(UserError, match="contents of strategy twin must all be of kind pair"):
        Recipe.load(TWINS, ["contents=[{kind: word}]"])
