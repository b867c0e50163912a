"""Edit pairs: only what the instruction names changes, in the picture and in the annotation."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from configs import UserError
from synth import Recipe, Sample
from synth.caption.phrases import effect_phrase, sentences
from synth.corpus.builtin import pairs
from synth.corpus.signs import SLOTS, Slot, lines, places
from synth.drawing.regions import layer_regions
from synth.strategies.base import Composition
from synth.strategies.edit.operations import OPERATIONS
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn

EDIT = "configs/synth/edit.yaml"


def only(operation: str, *more: str) -> Recipe:
    return recipe(EDIT, f"strategy.operations={{{operation}: 1}}", *more)


def changed(sample: Sample) -> np.ndarray:
    """(h, w) bool: pixels that differ between the picture before and the one after."""
    assert sample.reference is not None
    return (np.asarray(sample.reference).astype(int) != np.asarray(sample.image).astype(int)).any(axis=2)


def around(pair: Composition) -> np.ndarray:
    """(h, w) bool: the places of all texts that are not in both drawings, with what shadows need around them."""
    w, h = pair.drawing.canvas
    mask = np.zeros((h, w), bool)
    assert pair.source is not None
    before, after = pair.source.texts, pair.drawing.texts
    for layer in [t for t in before if t not in after] + [t for t in after if t not in before]:
        stroke_margin = int(np.ceil(0.6 * layer.block.size if layer.style.shadows else 0)) + 1
        for quad in (r.quad for r in layer_regions(layer) if r.level == "line"):
            x0, x1 = int(min(quad[::2])) - stroke_margin, int(max(quad[::2])) + 2 + stroke_margin
            y0, y1 = int(min(quad[1::2])) - stroke_margin, int(max(quad[1::2])) + 2 + stroke_margin
            mask[max(y0, 0) : y1, max(x0, 0) : x1] = True
    return mask


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o not in ("background", "reconstruct")])
def test_outside_of_the_edited_texts_both_pictures_are_identical(operation: str) -> None:
    edits = only(operation)
    for index in range(10):
        sample, pair = edits.render(index), drawn(edits, index)
        difference = changed(sample)
        assert difference.any(), index
        assert not (difference & ~around(pair)).any(), index
        assert (sample.task, len(sample.instructions)) == ("ti2i", 1)
        assert sample.reference is not None
        assert sample.reference.size == sample.image.size


def test_a_new_ground_leaves_every_glyph_where_it_was() -> None:
    edits = only("background")
    for index in range(8):
        sample, pair = edits.render(index), drawn(edits, index)
        assert pair.source.texts == pair.drawing.texts
        assert changed(sample).mean() > 0.3
        assert pair.source.layers[0] is not pair.drawing.layers[0]


def test_reconstruction_is_the_same_picture_twice() -> None:
    sample = only("reconstruct").render(0)
    assert sample.task == "i2i"
    assert not changed(sample).any()


@pytest.mark.parametrize("operation", ["replace", "add", "remove", "translate"])
def test_texts_before_and_after_are_those_the_instruction_quotes(operation: str) -> None:
    edits = only(operation)
    for index in range(12):
        sample, pair = edits.render(index), drawn(edits, index)
        said = sample.instructions[0].text
        before = {_flat(t.block.text) for t in pair.source.texts}
        after = {_flat(t.block.text) for t in pair.drawing.texts}
        gone, new = before - after, after - before
        assert (len(gone), len(new)) == {"add": (0, 1), "remove": (1, 0)}.get(operation, (1, 1))
        quoted = gone if operation in ("remove", "translate") else new
        assert all(text in _flat(said) for text in quoted), (said, quoted)
        assert _flat(sample.text) == "".join(_flat(t.block.text) for t in pair.drawing.texts)


def _flat(text: str) -> str:
    return "".join(text.split())


def test_a_removed_only_text_leaves_no_annotation() -> None:
    edits = only("remove", "strategy.texts=[1, 1]")
    sample = edits.render(0)
    assert (sample.text, sample.regions, sample.text_level, sample.text_language) == ("", [], 0, "none")


def test_recoloring_changes_nothing_but_the_color() -> None:
    edits = only("recolor", "effects.weights={plain: 1}")
    for index in range(8):
        pair = drawn(edits, index)
        (old,) = [t for t in pair.source.texts if t not in pair.drawing.texts]
        (new,) = [t for t in pair.drawing.texts if t not in pair.source.texts]
        assert old.block is new.block
        assert old.style.color.en != new.style.color.en


def test_moved_text_keeps_its_size_and_stays_clear_of_the_others() -> None:
    edits = only("move", "strategy.texts=[2, 3]")
    for index in range(10):
        lines = [r.quad for r in edits.render(index).regions if r.level == "line"]
        for i, a in enumerate(lines):
            for b in lines[i + 1 :]:
                assert min(a[4], b[4]) <= max(a[0], b[0]) + 1 or min(a[5], b[5]) <= max(a[1], b[1]) + 2


def test_a_move_is_seen_and_a_wide_text_is_not_sent_to_a_side() -> None:
    edits = only("move", "strategy.texts=[1, 2]")
    for index in range(20):
        pair = drawn(edits, index)
        assert pair.source is not None
        (old,) = [t for t in pair.source.texts if t not in pair.drawing.texts]
        (new,) = [t for t in pair.drawing.texts if t not in pair.source.texts]
        (w, h), (x0, y0, _, _), (u0, v0, _, _) = pair.drawing.canvas, old.bounds(), new.bounds()
        assert abs(u0 - x0) > 0.14 * w or abs(v0 - y0) > 0.14 * h
        left, _, right, _ = old.block.box
        assert abs(u0 - x0) < 2 or right - left <= 0.51 * w
        assert abs(u0 - x0) < 2 or len(pair.drawing.texts) == 1  # beside others it stays on their axis


def test_pairs_are_one_to_one_and_in_two_languages() -> None:
    assert len(pairs()) > 100
    assert all(len(set(texts)) == len(pairs()) for texts in zip(*pairs(), strict=True))
    assert all(english.isascii() and not chinese.isascii() for english, chinese in pairs())


def test_texts_of_a_canvas_are_of_one_place_and_a_replacement_is_of_the_same_kind() -> None:
    signs = "contents=[{kind: sign}]"
    for index in range(12):
        texts = [layer.block.text for layer in drawn(only("move", signs, "strategy.texts=[3, 3]"), index).drawing.texts]
        said = [_said(text) for text in texts]
        of_one = set.intersection(*({place for place, _ in each} for each in said))
        assert of_one, texts
        orders = [[SLOTS.index(slot) for each in said for at, slot in each if at == place] for place in of_one]
        assert any(order == sorted(set(order)) for order in orders), texts
        replaced = drawn(only("replace", signs), index)
        before, after = ({t.block.text for t in side.texts} for side in (replaced.source, replaced.drawing))
        (old,), (new,) = before - after, after - before
        assert _said(old) & _said(new), (old, new)


def test_a_kind_that_stands_alone_has_no_other_text_beside_it() -> None:
    alone = only("move", "contents=[{kind: sign, alone: true}]", "strategy.texts=[3, 3]")
    assert {len(drawn(alone, index).drawing.texts) for index in range(6)} == {1}


def _said(text: str) -> set[tuple[str, Slot]]:
    """Places and slots of the lines that a text may be made of."""
    return {key for key, pattern in _patterns() if pattern.fullmatch(_flat(text))}


@cache
def _patterns() -> list[tuple[tuple[str, Slot], re.Pattern[str]]]:
    return [
        ((place, slot), re.compile(re.sub(r"\\{\w+\\}", r".+?", re.escape(_flat(said)))))
        for place in places()
        for slot in SLOTS
        for line in lines(place, slot)
        for said in (line.en, line.zh)
    ]


def test_instructions_vary() -> None:
    assert all(len(set(sentences("instructions", spoken)[o])) >= 8 for o in OPERATIONS for spoken in ("zh", "en"))
    seen = Counter(recipe(EDIT).render(i).instructions[0].language for i in range(30))
    assert min(seen["zh"], seen["en"]) > 5


def test_the_pipeline_writes_the_pair() -> None:
    from pipeline.sources.synth import sample_row

    sample = only("replace").render(0)
    row = sample_row(sample)
    assert row["task"] == "ti2i"
    assert row["ref_sizes"] == list(sample.image.size)
    assert row["references"][0]["bytes"] != row["image"]["bytes"]
    assert row["instructions"][0]["text"] == sample.instructions[0].text


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("strategy.operations={explode: 1}", "explode"),
        ("strategy.texts=[0, 2]", "texts must be"),
        ("strategy.scene.photos=[{path: nowhere}]", "strategy.photos.0.path: nowhere does not exist"),
    ],
)
def test_wrong_edits_are_one_line(override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        Recipe.load(EDIT, [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_texts_of_a_plain_ground_stand_on_one_axis() -> None:
    for index in range(20):
        texts = drawn(only("recolor", "strategy.photographed=0", "strategy.texts=[3, 3]"), index).drawing.texts
        boxes = [layer.bounds() for layer in texts]
        lefts = [layer.matrix[0, 2] + layer.block.lines[0].glyphs[0].x for layer in texts]  # not swashes before them
        middles = [(x0 + x1) / 2 for x0, _, x1, _ in boxes]
        assert min(max(lefts) - min(lefts), max(middles) - min(middles)) < 8, index


def test_a_text_that_is_moved_to_an_edge_keeps_its_place_along_it() -> None:
    along = {"top": 0, "bottom": 0, "left": 1, "right": 1}
    seen = set()
    for index in range(40):
        pair = drawn(only("move"), index)
        assert pair.source is not None
        assert pair.change is not None
        (old,) = [t for t in pair.source.texts if t not in pair.drawing.texts]
        (new,) = [t for t in pair.drawing.texts if t not in pair.source.texts]
        if pair.change.place in along:
            axis = along[pair.change.place]
            assert abs(old.bounds()[axis] - new.bounds()[axis]) < 1
            seen.add(pair.change.place)
    assert len(seen) >= 2


def test_texts_beside_each_other_are_of_one_face_at_most_two_colors_and_none_is_larger_than_the_first() -> None:
    several = 0
    for index in range(20):
        texts = drawn(only("reconstruct", "strategy.photographed=0", "strategy.texts=[3, 3]"), index).drawing.texts
        if len({layer.block.face for layer in texts}) == 1 and len(texts) > 1:
            several += 1
            assert max(layer.block.size for layer in texts[1:]) <= texts[0].block.size
        assert len({layer.style.color.en for layer in texts}) <= 2
        assert not any(layer.style.effects for layer in texts[1:])
    assert several > 5


def test_what_added_text_shows_beside_its_color_is_asked_for() -> None:
    named = 0
    effects = "effects={weights: {stroke: 1, shadow: 1}, min_size: 16}"
    for index in range(120):
        if named == 5:
            break
        large = (
            "strategy.texts=[1, 1]",
            "contents=[{kind: word}]",
            "layout.relative=[0.6, 0.9]",
        )  # small ones stay plain
        made = only("add", *large, "strategy.photographed=0", effects)
        pair, sample = drawn(made, index), made.render(index)
        assert pair.change is not None
        effect = pair.change.effect
        if effect:
            named += 1
            words = [effect_phrase("effect", effect, pair.change.edge, language) for language in ("en", "zh")]
            assert any(word and word in sample.instructions[0].text for word in words)
    assert named == 5


def test_a_translation_is_upright_where_the_text_was() -> None:
    for index in range(25):
        pair = drawn(only("translate", "strategy.photographed=0"), index)
        assert pair.source is not None
        (old,) = [t for t in pair.source.texts if t not in pair.drawing.texts]
        (new,) = [t for t in pair.drawing.texts if t not in pair.source.texts]
        slanted = [next(f for f in pair.fonts if t.block.face in map(f.face, f.wghts)).italic for t in (old, new)]
        assert slanted[0] == slanted[1]
