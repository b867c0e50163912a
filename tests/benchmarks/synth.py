"""Renderings per second of one process, by kind of content: ``python tests/benchmarks/synth.py [--seconds 3]``.

Measured after a warm-up round, so outlines of common characters are there; ``charset`` draws rare ones
on purpose. The last line is one JSON object: samples per second rendered, and rendered and encoded.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from synth import Recipe

KINDS = {
    "character": "{kind: charset, levels: [1, 2, 3]}",
    "number": "{kind: number}",
    "word": "{kind: word}",
    "line": "{kind: line}",
    "sentence": "{kind: sentence}",
    "paragraph_zh": "{kind: paragraph, languages: {zh: 1}}",
    "paragraph_en": "{kind: paragraph, languages: {en: 1}}",
}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--seconds", type=float, default=2.0, help="time spent on each figure")
    seconds = args.parse_args().seconds
    figures = {"glyphs.yaml": rates(Recipe.load("configs/synth/glyphs.yaml"), seconds)}
    figures["pure.yaml"] = rates(Recipe.load("configs/synth/pure.yaml"), seconds)
    for name, kind in KINDS.items():
        figures[name] = rates(Recipe.load("configs/synth/pure.yaml", [f"contents=[{kind}]"]), seconds)
        print(f"{name:14} {figures[name]}", flush=True)
    print(json.dumps({"unit": "samples per second and process", "area": "256 px; glyphs.yaml 64 px", **figures}))


def rates(recipe: Recipe, seconds: float) -> dict[str, float]:
    """Samples per second of ``render`` alone and of ``render`` with ``encode``."""
    for index in range(30):
        recipe.render(index)
    rendered = _rate(lambda index: recipe.render(index), seconds)
    encoded = _rate(lambda index: recipe.render(index).encode(), seconds)
    return {"render": round(rendered, 1), "render_encode": round(encoded, 1)}


def _rate(work, seconds: float) -> float:
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        work(count)
        count += 1
    return count / spent


if __name__ == "__main__":
    main()
