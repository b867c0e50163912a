"""Synthesis in one process on one core: ``python tests/benchmarks/synth.py [--seconds 3]``.

Every figure stands beside *bare Skia* in the same run: the same text shaped, broken and drawn by Skia's own paragraph
on a white canvas, without boxes, captions, choice of anything. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import skia

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipeline.sources.synth import sample_row
from synth import Recipe
from synth.corpus import grammar

PURE, SCENE = "configs/synth/pure.yaml", "configs/synth/scene.yaml"
FONT = "fonts=[{package: manimgx_fonts_cjk, file: NotoSansCJK-VF.otf.ttc, face: 2}]"
PLAIN = ("colors.backgrounds={plain: 1}", "effects.weights={plain: 1}", "layout.directions={horizontal: 1}", FONT)
TEN = "contents=[{kind: charset, levels: [1], count: [10, 10]}]"
HUNDRED = "contents=[{kind: paragraph, corpus: hundred, length: [100, 100]}]"
MEDIA_ONLY = "strategy.media={sheet of paper: 1, wooden board: 1, shop sign: 1, screen: 1, poster: 1}"
DENSE = "configs/synth/dense.yaml"
PRINT = "fonts=[{package: manimgx_fonts_cjk, file: NotoSansCJK-VF.otf.ttc, face: 2, wght: [400, 700]}]"
TWO_THOUSAND = "contents=[{kind: dense, characters: [2000, 2000], languages: {%s: 1}}]"
KINDS = {
    "character": "{kind: charset, levels: [1, 2, 3]}",
    "word": "{kind: word}",
    "line": "{kind: line}",
    "sentence": "{kind: sentence}",
    "paragraph": "{kind: paragraph}",
    "page": "{kind: page}",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="spent on each figure")
    seconds = parser.parse_args().seconds

    figures: dict[str, dict[str, float]] = {}

    line = Recipe.load(PURE, [*PLAIN, TEN, canvas(512, 64), "layout.margin=0.02"])
    figures["line of 10, 512 x 64"] = compared(line, (512, 64), seconds)
    for size in ((512, 128), (512, 512)):
        photo = Recipe.load(SCENE, [TEN, canvas(*size), "strategy.media={none: 1}", FONT])
        figures[f"line of 10 on photographs, {size[0]} x {size[1]}"] = compared(photo, size, seconds)
    media = Recipe.load(SCENE, [TEN, canvas(512, 512), MEDIA_ONLY, FONT])
    figures["line of 10 on media in photographs, 512 x 512"] = compared(media, (512, 512), seconds)
    corpus = hundred()
    for side in (512, 1328):
        recipe = Recipe.load(PURE, [*PLAIN, corpus, HUNDRED, canvas(side, side), "layout.max_size=300"])
        figures[f"paragraph of 100, {side} px"] = compared(recipe, (side, side), seconds)
        figures[f"whole record of it, {side} px"] = {"per_s": round(rate(lambda i, r=recipe: record(r, i), seconds), 1)}
    for language in ("zh", "en"):
        dense = Recipe.load(
            DENSE, [PRINT, canvas(1328, 1328), TWO_THOUSAND % language, "colors.backgrounds={plain: 1}"]
        )
        drawn = rate(dense.render, seconds)
        figures[f"dense page of 2,000, 1328 px, {language}"] = {"per_s": round(drawn, 1), "ms": round(1000 / drawn, 1)}
    for name, kind in KINDS.items():
        recipe = Recipe.load(PURE, [f"contents=[{kind}]"])
        figures[f"{name}, 256 px area"] = {"per_s": round(rate(recipe.render, seconds), 1)}
    for path in sorted(Path("configs/synth").glob("*.yaml")):
        recipe = Recipe.load(path)
        drawn, encoded = rate(recipe.render, seconds), rate(lambda i, r=recipe: r.render(i).encode(), seconds)
        figures[path.name] = {"per_s": round(drawn, 1), "encoded_per_s": round(encoded, 1), "kB": sizes(recipe)}
    for name, row in figures.items():
        print(f"{name:48}" + "  ".join(f"{k} {v}" for k, v in row.items()))
    print(json.dumps({"unit": "samples per second of one process", **figures}))


def hundred() -> str:
    """A corpus of paragraphs of exactly 100 Chinese characters."""
    rng = np.random.default_rng(0)
    paragraphs = [grammar.sentences("zh", 14, rng)[:99].rstrip("，：“《") + "。" for _ in range(2000)]
    path = Path(tempfile.mkdtemp()) / "hundred.txt"
    path.write_text("\n".join(p for p in paragraphs if len(p) == 100), "utf-8")
    return f"corpora=[{{name: hundred, file: '{path}'}}]"


def canvas(width: int, height: int) -> str:
    return f"canvases=[{{size: [{width}, {height}]}}]"


def compared(recipe: Recipe, size: tuple[int, int], seconds: float) -> dict[str, float]:
    """Ours before encoding, and Skia's paragraph of the same texts."""
    texts = [recipe.render(index).text.replace("\n", "") for index in range(20)]
    bare = BareSkia(recipe.fonts[0].path, recipe.fonts[0].source.face, size)
    theirs = rate(lambda index: bare.draw(texts[index % len(texts)]), seconds)
    ours = rate(recipe.render, seconds)
    return {
        "per_s": round(ours, 1),
        "ms": round(1000 / ours, 2),
        "bare_skia_ms": round(1000 / theirs, 2),
        "ratio": round(ours / theirs, 3),
    }


class BareSkia:
    """Skia's paragraph: HarfBuzz, ICU line breaks, drawing."""

    def __init__(self, font: Path, face: int, size: tuple[int, int]) -> None:
        from skia import textlayout

        self.layout, self.size = textlayout, size
        provider = textlayout.TypefaceFontProvider()
        provider.registerTypeface(skia.Typeface.MakeFromFile(str(font), face), "font")
        self.fonts = textlayout.FontCollection()
        self.fonts.setDefaultFontManager(provider)
        self.style = textlayout.ParagraphStyle()
        self.text = textlayout.TextStyle()
        self.text.setFontFamilies(["font"])
        self.text.setColor(skia.ColorBLACK)
        area = size[0] * size[1]
        self.scale = area

    def draw(self, text: str) -> np.ndarray:
        size = min(0.75 * self.size[1], 0.85 * (self.scale / len(text)) ** 0.5, 0.9 * self.size[0] / min(len(text), 10))
        self.text.setFontSize(size)
        builder = self.layout.ParagraphBuilder(self.style, self.fonts, skia.Unicodes.ICU.Make())
        builder.pushStyle(self.text)
        builder.addText(text)
        paragraph = builder.Build()
        paragraph.layout(self.size[0])
        pixels = np.zeros((self.size[1], self.size[0], 4), np.uint8)
        target = skia.Surface(pixels, colorType=skia.kRGBA_8888_ColorType).getCanvas()
        target.clear(skia.ColorWHITE)
        paragraph.paint(target, 0, 0)
        return pixels


def record(recipe: Recipe, index: int) -> bytes:
    """A sample with its captions as a row in Parquet, the picture lossless."""
    row = sample_row(recipe.render(index))
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row]), out, compression="none")
    return out.getvalue()


def sizes(recipe: Recipe) -> float:
    """Mean size of an encoded picture, kB."""
    return round(sum(len(recipe.render(index).encode()[0]) for index in range(50)) / 50 / 1000, 1)


def rate(work: Callable[[int], object], seconds: float) -> float:
    """Calls per second after a warm-up, so that outlines of common characters are there."""
    for index in range(30):
        work(index)
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        work(30 + count)
        count += 1
    return count / spent


if __name__ == "__main__":
    main()
