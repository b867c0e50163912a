"""Clean renderings of given texts."""

import numpy as np

from synth.corpus.builtin import levels_characters
from trainer.evaluate.reading.clean import render


def test_texts_stand_whole_on_their_canvas():
    texts = ["开门\nFresh tea, every day", "A long paragraph of many words that has to be broken into several lines"]
    for text, clean in zip(texts, render(texts, (320, 208)), strict=True):
        assert clean.picture.shape == (208, 320, 3)
        assert clean.picture[0, 0].tolist() == [255, 255, 255]
        assert "".join(g.text for g in clean.glyphs) == "".join(text.split())
        for left, top, right, bottom in (g.box for g in clean.glyphs):
            assert (clean.picture[top:bottom, left:right] < 128).any()


def test_a_text_that_cannot_be_shown_has_no_rendering():
    first, second = render(["好" * 4000, "好"], (64, 64))
    assert first is None
    assert (second.picture < 128).any()


def test_every_level_of_the_standard_table_can_be_drawn():
    rare = [characters[-1] for characters in map(levels_characters, [(1,), (2,), (3,)])]
    assert all(np.ptp(clean.picture) == 255 for clean in render(rare, (64, 64)))
