"""_Given texts on a clean ground, through ``synth``: what a reader makes of them is the most that it can.

texts, size ──_Given, a kind of content──> Recipe ──render──> picture, boxes of glyphs
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from configs import UserError
from synth.content.base import Content, ContentRequest, Text
from synth.content.canvas import Canvas
from synth.damage.damage import DamageConfig
from synth.drawing.colors import ColorConfig
from synth.fonts.source import FontSource
from synth.language import language_of
from synth.recipe import Recipe, RecipeConfig
from synth.sample import Region, Sample
from synth.typeset.layout import LayoutConfig
from trainer.evaluate.base import Clean, Glyph

_FONT = FontSource(
    file="NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", face=2, wght=(400, 400), languages=("zh", "en", "other")
)
_SMALLEST, _LARGEST = 8.0, 0.12  # px, and of the shorter side; chosen
_DAMAGED = 16.0  # px; chosen: in smaller type a stroke is hardly a pixel
_LONE = 0.6  # of the shorter side, of a lone character; chosen
_LINE = 40  # characters of a text that is not broken into lines; chosen: longer ones would be set too small


@dataclass(frozen=True, kw_only=True)
class _Given(Content):
    """The texts in ``texts``, one after the other; each is broken into lines where it has to be."""

    texts: tuple[str, ...]

    def draw(self, request: ContentRequest) -> Text:
        text = self.texts[request.ordinal % len(self.texts)]
        short = "\n" not in text and len(text) <= _LINE
        return Text(text, language_of(text), "line" if short else "paragraph", "given")


def render(texts: Sequence[str], size: tuple[int, int]) -> Iterator[Clean | None]:
    """Each text in black on white, as large as is usual, on ``size`` (width, height) px; None where it cannot be shown."""
    if not texts:
        return
    shorter = min(size)
    longest = max(len(text) for text in texts)
    largest = shorter * (_LONE if longest <= 1 else _LARGEST)
    recipe = Recipe(_config(texts, size, _SMALLEST, largest))
    for index in range(len(texts)):
        sample = _rendered(recipe, index)
        yield of_sample(sample) if sample else None


def render_damaged(text: str, size: tuple[int, int], seed: int) -> tuple[Clean, Clean, str] | None:
    """A text as large as fits, whole and with one character damaged as ``synth`` damages them, and that character.

    None where it cannot be shown large enough, or where none of its characters can be damaged.
    """
    config = replace(_config([text], size, _DAMAGED, _LONE * min(size)), seed=seed)
    whole = _rendered(Recipe(config), 0)
    one = DamageConfig(pictures=1.0, characters=(1, 1), min_size=_DAMAGED)
    damaged = whole and _rendered(Recipe(replace(config, damage=one)), 0)
    if not whole or not damaged:
        return None
    character = next(region.text for region in damaged.regions if region.damage)
    return of_sample(whole), of_sample(damaged), character


def _config(texts: Sequence[str], size: tuple[int, int], smallest: float, largest: float) -> RecipeConfig:
    """A recipe of these texts whose layout leaves nothing to chance."""
    return RecipeConfig(
        name="clean",
        fonts=(_FONT,),
        canvases=(Canvas(size=size),),
        contents=(cast(Any, _Given(kind="given", texts=tuple(texts))),),  # one of our own, as a recipe may name them
        layout=LayoutConfig(
            fill=(1.0, 1.0),
            min_size=smallest,
            max_size=max(smallest, largest),
            align={"left": 1.0},
            line_spacing=(1.4, 1.4),
        ),
        colors=ColorConfig(contrast=15, text=("black",), ground=("white",), vary=0),
        attempts=2,
    )


def _rendered(recipe: Recipe, index: int) -> Sample | None:
    try:
        sample = recipe.render(index)
    except UserError:  # a character that no font has, or too much text for the canvas
        return None
    return None if sample.discarded else sample  # a recipe tries another of its texts


def of_sample(sample: Sample) -> Clean:
    """The picture of a sample of ``synth``, with its glyphs."""
    return Clean(np.asarray(sample.image), tuple(_glyphs(sample.regions)))


def _glyphs(regions: Sequence[Region]) -> Iterable[Glyph]:
    for region in (r for r in regions if r.level == "glyph"):
        x, y = region.quad[::2], region.quad[1::2]
        yield Glyph(region.text, (int(min(x)), int(min(y)), int(np.ceil(max(x))), int(np.ceil(max(y)))))
