"""Damage as a recipe asks for it: some characters of a drawn picture get another outline.

    Composition ──characters that suit──> outlines.damaged ──> the same layers with other glyphs, each labelled

Lines, places and boxes stay as they are; captions say which characters are not whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from synth.choice import check_weights, choose_key
from synth.damage.outline import How, damaged
from synth.drawing.layers import Drawing, TextLayer
from synth.errors import Undrawable
from synth.language import is_han
from synth.strategies.base import Composition
from synth.typeset.block import Block, PlacedGlyph

_THIN = 4.0  # width to height, either way: a single stroke stays itself when it is cut


@dataclass(frozen=True)
class DamageConfig:
    """``pictures``: fraction of them that show damaged characters. ``characters``: of such a picture, [least, most].
    ``ways``: what is done to a stroke. ``min_size``: px of the smallest type that is damaged.
    """

    pictures: float = 0.0
    characters: tuple[int, int] = (1, 2)
    ways: dict[How, float] = field(default_factory=lambda: {"missing": 1.0, "added": 1.0, "moved": 1.0})
    min_size: float = 24.0  # chosen: in smaller type a stroke is a few pixels

    def __post_init__(self) -> None:
        check_weights("ways", self.ways)
        if not 0 <= self.pictures <= 1:
            raise ValueError(f"pictures must be within 0..1, found {self.pictures:g}")
        if not 1 <= self.characters[0] <= self.characters[1]:
            raise ValueError(f"characters must be [least, most] from 1 on, found {list(self.characters)}")


def with_damage(composition: Composition, config: DamageConfig, rng: np.random.Generator) -> Composition:
    """The picture with damaged characters, or as it is where its turn is not theirs. Raises Undrawable where none can be."""
    if not config.pictures or rng.random() >= config.pictures:
        return composition
    wanted = int(rng.integers(config.characters[0], config.characters[1] + 1))
    places = list(_places(composition.drawing, config.min_size))
    layers, made = list(composition.drawing.layers), 0
    for index in rng.permutation(len(places)).tolist():
        number, line, at = places[index]
        layer = layers[number]
        assert isinstance(layer, TextLayer)
        block = _with_damaged_glyph(layer.block, line, at, config, rng)
        if block is not None:
            layers[number], made = replace(layer, block=block), made + 1
        if made == wanted:
            break
    if not made:
        raise Undrawable("no character of the text can be damaged so that it is seen")
    return replace(composition, drawing=Drawing(composition.drawing.canvas, tuple(layers)), painted=None)


_Place = tuple[int, int, int]  # layer, line, glyph


def _places(drawing: Drawing, min_size: float) -> Iterator[_Place]:
    for number, layer in enumerate(drawing.layers):
        if isinstance(layer, TextLayer) and layer.block.size >= min_size:
            for line_number, line in enumerate(layer.block.lines):
                starts = [glyph.start for glyph in line.glyphs]
                for at, glyph in enumerate(line.glyphs):
                    if _suits(glyph) and starts.count(glyph.start) == 1:
                        yield number, line_number, at


def _suits(glyph: PlacedGlyph) -> bool:
    """Whether it is a whole letter, digit or Chinese character that is more than one straight stroke."""
    if glyph.bounds is None or len(glyph.text) != 1:
        return False
    if not (is_han(glyph.text) or (glyph.text.isascii() and glyph.text.isalnum())):
        return False
    left, top, right, bottom = glyph.bounds
    return max(right - left, bottom - top) <= _THIN * min(right - left, bottom - top)


def _with_damaged_glyph(
    block: Block, line: int, at: int, config: DamageConfig, rng: np.random.Generator
) -> Block | None:
    """The block with one of its glyphs damaged, None where that one cannot be."""
    glyph = block.lines[line].glyphs[at]
    found = damaged(glyph.text, (glyph.face or block.face).outline(glyph.id), choose_key(rng, config.ways), rng)
    if found is None:
        return None
    outline, what = found
    face, id_ = (glyph.face or block.face).with_outline(outline)
    new = glyph._replace(id=id_, bounds=face.ink(id_), face=face, damage=what)
    glyphs = (*block.lines[line].glyphs[:at], new, *block.lines[line].glyphs[at + 1 :])
    lines = (*block.lines[:line], replace(block.lines[line], glyphs=glyphs), *block.lines[line + 1 :])
    return replace(block, lines=lines)
