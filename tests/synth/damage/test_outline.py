"""Outlines that lack a part, have one too many or one out of place."""

import numpy as np
import pytest

from synth.damage.lookalikes import changes_with_a_stroke
from synth.damage.outline import damaged
from synth.fonts.parts import are_strokes, ink, parts
from synth.fonts.source import FontSource, find

SANS = FontSource("NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", face=2, wght=(400, 400))


@pytest.fixture(scope="module")
def face():
    return find([SANS])[0].face(400)


def outline(face, character):
    return face.outline(face.nominal(character))


@pytest.mark.parametrize(
    ("character", "count"), [("十", 2), ("木", 4), ("火", 4), ("国", 7), ("E", 1), ("i", 2), ("8", 1)]
)
def test_parts_are_outer_contours_with_their_holes(face, character, count):
    found = parts(outline(face, character))
    assert len(found) == count
    assert np.abs(np.stack([ink(p) for p in found]).max(axis=0) - ink(outline(face, character))).mean() < 0.002


def test_strokes_are_known_by_their_number(face):
    known = [c for c in "木火龙雨十我" if are_strokes(c, len(parts(outline(face, c))))]
    assert {"木", "火", "十"} <= set(known)
    assert not are_strokes("A", 3)


@pytest.mark.parametrize("how", ["missing", "added", "moved"])
def test_damage_is_seen_and_stays_in_the_box(face, how):
    made = {}
    for character in "数学语国鱼龙请谢铁银颜":
        whole = outline(face, character)
        for seed in range(4):
            found = damaged(character, whole, how, np.random.default_rng(seed))
            if found is None:
                continue
            path, what = found
            assert what in (f"stroke {how}", f"contour {how}")
            before, after = ink(whole), ink(path)
            assert np.abs(before - after).sum() / before.sum() >= 0.03
            assert (after.sum() < before.sum()) == (how == "missing") or how == "moved"
            a, b = whole.computeTightBounds(), path.computeTightBounds()
            assert b.left() >= a.left() - 1e-3
            assert b.right() <= a.right() + 1e-3
            assert b.top() >= a.top() - 1e-3
            assert b.bottom() <= a.bottom() + 1e-3
            made[character] = what
    assert len(made) >= 8


def test_no_damage_makes_another_character(face):
    assert all(changes_with_a_stroke(c, "missing") for c in "太犬天玉未鸟叉凡")
    assert all(changes_with_a_stroke(c, "added") for c in "大王乌木又几")
    for character in "太犬天玉未":
        assert damaged(character, outline(face, character), "missing", np.random.default_rng(0)) is None


@pytest.mark.parametrize("character", "AEkB8gRQ")
def test_a_letter_is_cut_through(face, character):
    path, what = damaged(character, outline(face, character), "missing", np.random.default_rng(0))
    assert what == "part missing"
    assert 0.5 < ink(path).sum() / ink(outline(face, character)).sum() < 0.95
    assert damaged(character, outline(face, character), "added", np.random.default_rng(0)) is None
