"""Glyphs with a part missing: a reader that takes them for whole would not see a model's broken ones either.

    clean rendering, one glyph's box ──a part of its ink becomes ground──> damaged rendering

The part is the largest connected piece of a seventh to a half of the ink; of a glyph in one piece, a third of its box.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from pipeline.ocr.lines import normalize
from synth.language import is_han
from trainer.evaluate.base import Box, Clean, Glyph

_INK = 60
"""Sum over channels of the difference to the ground from which on a pixel is ink; chosen."""
_RING = 2  # px around a glyph in which its ground is looked for
_LEAST, _MOST = 0.15, 0.5
"""Of the ink that goes; chosen: less is a printing fault, more leaves another character."""
_SMALLEST = 8  # px a side of a glyph; chosen
_THIN = 4.0  # width to height, either way, from which on a glyph is a single stroke that stays itself when it is cut


def damage(clean: Clean, rng: np.random.Generator) -> tuple[np.ndarray, str] | None:
    """A copy of the picture with one glyph damaged, and its character; None where no glyph can be."""
    glyphs = [glyph for glyph in clean.glyphs if _suits(glyph)]
    for index in rng.permutation(len(glyphs))[:20]:
        glyph = glyphs[int(index)]
        picture = _without_a_part(clean.picture, glyph.box, rng)
        if picture is not None:
            return picture, glyph.text
    return None


def is_accepted(character: str, clean: str, damaged: str, text: str) -> bool | None:
    """Whether a reader took a damaged ``character`` for whole: it saw it as often as in the clean rendering. None where it
    did not read all of them in that."""
    wanted, before, after = (Counter(normalize(t))[normalize(character)] for t in (text, clean, damaged))
    return after >= before if before >= wanted else None


def _suits(glyph: Glyph) -> bool:
    left, top, right, bottom = glyph.box
    width, height = right - left, bottom - top
    thin = max(width, height) > _THIN * max(1, min(width, height))
    written = len(glyph.text) == 1 and ((glyph.text.isascii() and glyph.text.isalnum()) or is_han(glyph.text))
    return written and not thin and min(width, height) >= _SMALLEST


def _without_a_part(picture: np.ndarray, box: Box, rng: np.random.Generator) -> np.ndarray | None:
    left, top, right, bottom = box
    part = picture[top:bottom, left:right]
    ground = _ground(picture, box)
    ink = np.abs(part.astype(int) - ground).sum(2) > _INK
    chosen = next(_parts(ink, rng), None)
    if chosen is None:
        return None
    damaged = picture.copy()
    wide = cv2.dilate(chosen.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)  # soft edges go with it
    kept = cv2.dilate((ink & ~chosen).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    damaged[top:bottom, left:right][chosen | (wide & ~kept)] = ground
    return damaged


def _ground(picture: np.ndarray, box: Box) -> np.ndarray:
    """The most frequent color around a glyph's box: inside of it a bold one has more ink than ground."""
    left, top, right, bottom = box
    around = np.ones(picture.shape[:2], bool)
    around[top:bottom, left:right] = False
    near = (slice(max(0, top - _RING), bottom + _RING), slice(max(0, left - _RING), right + _RING))
    colors, counts = np.unique(picture[near][around[near]], axis=0, return_counts=True)
    found: np.ndarray = colors[counts.argmax()]
    return found


def _parts(ink: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Masks (H, W) of what may go, likelier ones first."""
    total = ink.sum()
    count, labels = cv2.connectedComponents(ink.astype(np.uint8))
    pieces = sorted((labels == k for k in range(1, count)), key=lambda mask: -int(mask.sum()))
    thirds = _thirds(ink.shape)
    for mask in [*pieces, *(thirds[int(k)] & ink for k in rng.permutation(len(thirds)))]:
        if total and _LEAST <= mask.sum() / total <= _MOST:
            yield mask


def _thirds(shape: Sequence[int]) -> list[np.ndarray]:
    height, width = shape
    masks = []
    for rows, columns in (
        (slice(0, height // 3), slice(None)),
        (slice(2 * height // 3, None), slice(None)),
        (slice(None), slice(0, width // 3)),
        (slice(None), slice(2 * width // 3, None)),
    ):
        mask = np.zeros((height, width), bool)
        mask[rows, columns] = True
        masks.append(mask)
    return masks
