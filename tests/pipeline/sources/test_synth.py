"""A recipe as a source: an input per index, and no run goes on with another recipe than it was listed with."""

from __future__ import annotations

import pytest

from configs import UserError
from pipeline.sources import SynthSource

GLYPHS = "configs/synth/glyphs.yaml"


def test_every_index_is_an_input_under_the_recipes_digest() -> None:
    source = SynthSource("synth", "glyphs", GLYPHS, 3)
    recipe, entries = source.load(), list(source.entries("sources.0", print))
    assert [e.uri for e in entries] == [f"{recipe.name}@{recipe.digest[:12]}/{i}" for i in range(3)]
    assert [e.id for e in entries] == [recipe.sample_id(i) for i in range(3)]
    assert {(e.bytes, e.captions, e.refused) for e in entries} == {(None, None, None)}


def test_a_changed_recipe_is_refused() -> None:
    source = SynthSource("synth", "glyphs", GLYPHS, 3)
    first = {"id": next(source.entries("sources.0", print)).id}
    source.check_listed("sources.0", first)
    changed = SynthSource("synth", "glyphs", GLYPHS, 3, ("seed=17",))
    with pytest.raises(UserError, match=r"field 'sources\.0\.recipe': .* draws other pictures than when"):
        changed.check_listed("sources.0", first)
