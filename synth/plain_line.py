"""A text as plainly as it can be shown: black on white in an upright face, for a reader's own ceiling."""

from __future__ import annotations

import math
from functools import lru_cache

from PIL import Image

from synth.drawing.colors import PALETTE, Ground
from synth.drawing.layers import Drawing, GroundLayer, TextLayer
from synth.drawing.paint import paint
from synth.drawing.style import TextStyle
from synth.fonts.source import FontFile, FontSource, find
from synth.geometry import translation
from synth.typeset.layout import Measure, compose
from synth.typeset.shaped import Shaped

_SIZE = 48  # px: what recognizers are trained on
_MARGIN = 12  # px
_FACE = FontSource("NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", face=2, wght=(400, 400))
_WHITE = GroundLayer(Ground((PALETTE["white"],)))


def clean_line(text: str, language: str) -> Image.Image:
    """One line of text, as wide as it is, 72 px high. Raises Undrawable where Noto Sans CJK lacks a character."""
    shaped = Shaped(_font().face(400), text.replace("\n", " "), language)
    lines = shaped.wrap(math.inf, 0.0)
    assert lines  # in endless room everything fits
    block = compose(shaped, lines, _SIZE, Measure(0.0, 0.0, 1.0, 0.0, wrap=False), "left")
    x0, y0, x1, y1 = block.box
    layer = TextLayer(block, TextStyle(PALETTE["black"]), translation(_MARGIN - x0, _MARGIN - y0))
    return paint(Drawing((int(x1 - x0) + 2 * _MARGIN, int(y1 - y0) + 2 * _MARGIN), (_WHITE, layer)))


@lru_cache(maxsize=1)
def _font() -> FontFile:
    return find([_FACE])[0]
