"""The faces of a dense page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.choice import choose
from synth.content.base import Text
from synth.corpus.subjects import Emphasis
from synth.errors import Undrawable
from synth.fonts.face import Face
from synth.fonts.source import FontFile
from synth.strategies.context import RenderContext

_BODY_STYLES = ("sans", "serif", "kai", None)
_REGULAR, _BOLD = 400, 700


@dataclass(frozen=True, eq=False)
class Fonts:
    """The faces of a page; ``files``: where they are from, the body's last."""

    body: Face
    bold: Face
    italic: Face | None
    code: Face
    files: tuple[FontFile, ...]

    def emphasized(self, emphasis: Emphasis) -> Face | None:
        return self.bold if emphasis == "bold" else self.italic


def choose_fonts(context: RenderContext, text: Text, code: str, rng: np.random.Generator) -> Fonts:
    """A body font in print, with its own bold and italic where it has them, and a mono font of regular weight for ``code``."""
    able = [f for f in context.fonts if f.writes(text.tag) and not f.missing(text.text)]
    printed = [f for f in able if f.source.style in _BODY_STYLES and not f.italic] or able
    if not printed:
        context.font(text, rng)  # says which character is missing
        raise Undrawable("no printed face covers the page")
    body = printed[choose(rng, [f.source.weight for f in printed])]
    italic = next((f for f in able if f.italic and f.path.parent == body.path.parent), None)
    mono = [f for f in context.fonts if f.source.style == "mono" and not f.italic and not f.missing(code)]
    light = [f for f in mono if _nearest(f, _REGULAR).weight < _BOLD] or mono
    typed = light[int(rng.integers(len(light)))] if light else body
    regular = _nearest(body, _REGULAR)
    files = tuple(dict.fromkeys([*([italic] if italic else []), *([typed] if code else []), body]))
    slanted = _nearest(italic, _REGULAR) if italic else None
    return Fonts(regular, _nearest(body, _BOLD), slanted, _nearest(typed, _REGULAR), files)


def _nearest(font: FontFile, weight: int) -> Face:
    return min(map(font.face, font.wghts), key=lambda face: abs(face.weight - weight))
