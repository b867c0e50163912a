"""Pure pictures: sizes that follow the canvas, places all over it, several texts."""

from __future__ import annotations

from collections import Counter

import pytest

from synth.caption.facts import facts_of
from synth.geometry import union
from tests.synth.common import SHIPPED, recipe
from tests.synth.test_geometry import drawn

FONTS = "fonts=[{package: manimgx_fonts_cjk, file: NotoSansCJK-VF.otf.ttc, face: 2}]"


def shipped(canvas: int, contents: str, *overrides: str):
    return recipe(
        SHIPPED, FONTS, f"canvases=[{{size: [{canvas}, {canvas}]}}]", f"contents=[{{{contents}}}]", *overrides
    )


@pytest.mark.parametrize("canvas", [256, 1024])
def test_type_is_as_large_on_a_large_canvas_as_on_a_small_one(canvas: int) -> None:
    sizes = [
        drawn(shipped(canvas, "kind: word", "strategy.several=0"), k).drawing.texts[0].block.size for k in range(60)
    ]
    shares = sorted(size / canvas for size in sizes)
    assert shares[5] < 0.16
    assert shares[-5] > 0.2


def test_texts_stand_all_over_the_canvas() -> None:
    found = Counter()
    for k in range(240):
        drawing = drawn(shipped(256, "kind: word", "strategy.several=0"), k).drawing
        x0, y0, x1, y1 = union([layer.bounds() for layer in drawing.texts])
        found[int((x0 + x1) / 2 / 256 * 3), int((y0 + y1) / 2 / 256 * 3)] += 1
    assert len(found) == 9
    assert found[1, 1] < 120


def test_small_print_stands_above_and_below_and_is_smaller() -> None:
    several = 0
    for k in range(30):
        composition = drawn(shipped(512, "kind: line", "strategy.several=1"), k)
        texts = composition.drawing.texts
        sizes = [layer.block.size for layer in texts]
        several += len(texts) > 1
        assert sum(size == max(sizes) for size in sizes) == 1
        assert composition.text.text == " ".join(" ".join(t.block.text.split("\n")) for t in texts) or len(texts) == 1
        tops = [layer.bounds()[1] for layer in texts]
        assert tops == sorted(tops)
        assert len({layer.style.color.en for layer in texts}) == 1
    assert several > 10


def test_small_print_is_flush_with_the_text_that_it_stands_beside() -> None:
    flush = 0
    for k in range(30):
        texts = drawn(shipped(512, "kind: line", "strategy.several=1"), k).drawing.texts
        main = max(texts, key=lambda layer: layer.block.size)
        x0, _, x1, _ = main.bounds()
        for layer in texts:
            if layer is not main:
                left, _, right, _ = layer.bounds()
                flush += min(abs(left - x0), abs(right - x1), abs(left + right - x0 - x1) / 2) < 2
    assert flush >= 15


def test_captions_quote_several_texts_one_by_one() -> None:
    several = 0
    for k in range(20):
        sample = shipped(512, "kind: line", "strategy.several=1").render(k)
        parts = facts_of(drawn(shipped(512, "kind: line", "strategy.several=1"), k)).parts
        if len(parts) > 1:
            several += 1
            assert " ".join(parts) == " ".join(sample.text.split("\n"))
            assert all(part in sample.captions[0].text for part in parts)
            assert " ".join(parts) not in sample.captions[0].text
    assert several >= 5


def test_few_characters_are_not_set_on_an_arc() -> None:
    curved = {
        len(layer.block.text)
        for k in range(60)
        for layer in drawn(
            shipped(512, "kind: word", "layout.directions={curved: 1}", "strategy.several=0"), k
        ).drawing.texts
        if layer.block.curved
    }
    assert curved
    assert min(curved) >= 6
