"""Which characters one stroke makes others of, for synth/data/lookalikes-zh.txt: python -m tests.benchmarks.lookalikes

Each outer contour of each of the 8,105 characters is taken in turn; what is left is compared with all of them on 24 px. The file
also holds some of our own that shape alone does not find.
"""

from __future__ import annotations

import numpy as np
import skia

from synth.corpus.builtin import levels_characters, stroke_counts
from synth.fonts.parts import parts, union
from synth.fonts.source import FontSource, find

SIDE = 24  # px
LIKE = 0.22  # sum of squares of the difference over that of what is left; chosen
SANS = FontSource("NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", face=2, wght=(400, 400))


def main() -> None:
    face = find([SANS])[0].face(400)
    characters = [c for c in levels_characters((1, 2, 3)) if face.nominal(c)]
    whole = np.stack([ink(face.outline(face.nominal(c))) for c in characters])
    squares, strokes = (whole**2).sum(1), stroke_counts()
    for character in characters:
        found = parts(face.outline(face.nominal(character)))
        left = [ink(union([*found[:k], *found[k + 1 :]])) for k in range(len(found))] if len(found) > 1 else []
        like: set[str] = set()
        for rest in left:
            apart = (rest @ rest + squares - 2 * whole @ rest) / max(float(rest @ rest), 1e-3)
            like |= {characters[k] for k in np.flatnonzero(apart < LIKE)}
        fewer = sorted(other for other in like if strokes[character] - strokes[other] in (1, 2))
        if fewer:
            print(character, "".join(fewer), flush=True)


def ink(path: skia.Path) -> np.ndarray:
    """Coverage 0..1 of the em box."""
    surface = skia.Surface.MakeRaster(skia.ImageInfo.MakeA8(SIDE, SIDE))
    canvas = surface.getCanvas()
    canvas.translate(0, SIDE * 0.88)
    canvas.scale(SIDE, SIDE)
    canvas.drawPath(path, skia.Paint(AntiAlias=True))
    return np.asarray(surface.toarray(colorType=skia.kAlpha_8_ColorType), np.float32).ravel() / 255


if __name__ == "__main__":
    main()
