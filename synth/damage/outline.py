"""One glyph's outline damaged: a part of it taken, added, moved, or cut through.

    outline ──parts──> one part ──missing | added | moved──> another outline in the same box, and what was done to it

The box stays: nothing that surrounds the glyph has to move. Ink is compared on a grid, so that a person sees what changed:
a stroke that lies in others' ink is none that can be missed. Shares are of the whole glyph's ink, all of them chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import skia

from synth.damage.lookalikes import changes_with_a_stroke
from synth.fonts.parts import are_strokes, ink, parts, union
from synth.language import is_han

How = Literal["missing", "added", "moved"]
_TAKEN = (0.05, 0.45)  # less is a flaw of print, more leaves little of the character
_SHIFT = (0.1, 0.3)  # em
_SEEN = 0.6  # of a part's ink that a new place for it must show
_TRIES = 12  # places looked at for a part
_BAND = (0.14, 0.22)  # em that a cut is wide
_OF_PATHS = 1000.0  # path operations want outlines of some hundred units


def damaged(character: str, outline: skia.Path, how: How, rng: np.random.Generator) -> tuple[skia.Path, str] | None:
    """The outline (1 em = 1) damaged, and what was done: "stroke missing", "contour moved", "part missing" ...

    ``stroke`` where the outline's parts are the character's strokes, ``contour`` where they are not known to be. A letter, and
    a glyph in one piece, is cut through. None where it cannot be done so that it is seen, or where another
    character might be read.
    """
    found = parts(outline)
    if len(found) < 2 or not is_han(character):  # a letter less a part is another letter: R is P with a leg
        cut = _cut(outline, rng) if how == "missing" else None
        return cut and (cut, "part missing")
    if how != "moved" and changes_with_a_stroke(character, how):
        return None
    what = "stroke" if are_strokes(character, len(found)) else "contour"
    inks = np.stack([ink(part) for part in found])
    for number in rng.permutation(len(found)).tolist():
        made = _CHANGES[how](outline, found, inks, number, rng)
        if made is not None:
            return made, f"{what} {how}"
    return None


def _missing(
    outline: skia.Path, found: Sequence[skia.Path], inks: np.ndarray, number: int, rng: np.random.Generator
) -> skia.Path | None:
    whole, rest = inks.max(axis=0), np.delete(inks, number, axis=0).max(axis=0)
    lost = (whole - rest).sum() / whole.sum()
    return union([*found[:number], *found[number + 1 :]]) if _TAKEN[0] <= lost <= _TAKEN[1] else None


def _added(
    outline: skia.Path, found: Sequence[skia.Path], inks: np.ndarray, number: int, rng: np.random.Generator
) -> skia.Path | None:
    """A copy of a part elsewhere in the glyph's box."""
    there = inks.max(axis=0)
    if not _TAKEN[0] <= inks[number].sum() / there.sum() <= _TAKEN[1]:
        return None
    copy = _placed(found[number], outline.computeTightBounds(), there, rng)
    return union([*found, copy]) if copy else None


def _moved(
    outline: skia.Path, found: Sequence[skia.Path], inks: np.ndarray, number: int, rng: np.random.Generator
) -> skia.Path | None:
    """A part shifted within the glyph's box, to where it shows as much as before."""
    rest, whole = np.delete(inks, number, axis=0).max(axis=0), inks.max(axis=0)
    if not _TAKEN[0] <= (whole - rest).sum() / whole.sum() <= _TAKEN[1]:
        return None
    moved = _placed(found[number], outline.computeTightBounds(), rest, rng)
    return union([*found[:number], *found[number + 1 :], moved]) if moved else None


def _placed(part: skia.Path, box: skia.Rect, there: np.ndarray, rng: np.random.Generator) -> skia.Path | None:
    """The part at another place in ``box`` where most of it is seen beside the ink that is ``there``; None if none is found."""
    own = part.computeTightBounds()
    total = ink(part).sum()
    for _ in range(_TRIES):
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(*_SHIFT)
        dx = float(np.clip(far * np.cos(angle), box.left() - own.left(), box.right() - own.right()))
        dy = float(np.clip(far * np.sin(angle), box.top() - own.top(), box.bottom() - own.bottom()))
        if np.hypot(dx, dy) < _SHIFT[0]:
            continue
        shifted = skia.Path(part)
        shifted.transform(skia.Matrix.Translate(dx, dy))
        shown = (np.maximum(there, ink(shifted)) - there).sum()
        if total and shown / total >= _SEEN:
            return shifted
    return None


def _cut(outline: skia.Path, rng: np.random.Generator) -> skia.Path | None:
    """The outline with a slanted band through its middle taken out."""
    box, before = outline.computeTightBounds(), ink(outline).sum()
    for _ in range(_TRIES):
        made = _without(outline, _band(box, rng))
        if made is None or not before:
            return None
        lost = 1 - ink(made).sum() / before
        if 2 * _TAKEN[0] <= lost <= _TAKEN[1]:
            return made
    return None


def _band(box: skia.Rect, rng: np.random.Generator) -> skia.Path:
    """A slanted band through the middle half of a box, longer than the box."""
    band, wide = skia.Path(), float(rng.uniform(*_BAND))
    band.addRect(skia.Rect.MakeLTRB(-2.0, -wide / 2, 2.0, wide / 2))
    x = box.left() + box.width() * float(rng.uniform(0.35, 0.65))
    y = box.top() + box.height() * float(rng.uniform(0.35, 0.65))
    band.transform(skia.Matrix.Translate(x, y).preRotate(float(rng.uniform(20, 70)) * float(rng.choice([-1, 1]))))
    return band


def _without(outline: skia.Path, band: skia.Path) -> skia.Path | None:
    scaled = [skia.Path(path) for path in (outline, band)]
    for path in scaled:
        path.transform(skia.Matrix.Scale(_OF_PATHS, _OF_PATHS))
    try:
        made = skia.Op(scaled[0], scaled[1], skia.PathOp.kDifference_PathOp)
    except RuntimeError:  # Skia finds no such edge
        return None
    made.transform(skia.Matrix.Scale(1 / _OF_PATHS, 1 / _OF_PATHS))
    return made


_CHANGES = {"missing": _missing, "added": _added, "moved": _moved}
