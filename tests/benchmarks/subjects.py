"""How much of the subjects marked in photographs text covers: ``python -m tests.benchmarks.subjects [--count 400]``.

Each sample's regions, as filled quads, against the boxes of its photograph's subjects as far as the canvas shows them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
from PIL import Image, ImageDraw

from synth import Recipe
from synth.drawing import regions

SCENE = "configs/synth/scene.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--set", action="append", default=[], help="override a field of the recipe")
    args = parser.parse_args()
    recipe = Recipe.load(SCENE, args.set)
    fractions: list[float] = []
    areas: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for index in range(args.count):
        composition = recipe._drawn(index).composition
        backdrop = composition.backdrop
        assert backdrop
        mask = Image.new("1", composition.drawing.canvas)
        for region in regions.of(composition.drawing):
            ImageDraw.Draw(mask).polygon([(region.quad[i], region.quad[i + 1]) for i in (0, 2, 4, 6)], fill=1)
        text = np.asarray(mask)
        for x0, y0, x1, y1 in backdrop.subjects:
            under = text[round(y0) : round(y1), round(x0) : round(x1)]
            if under.size:
                fractions.append(float(under.mean()))
                areas[backdrop.id][0] += int(under.sum())
                areas[backdrop.id][1] += under.size
    covered, total = np.array(list(areas.values())).sum(axis=0)
    over = sum(mine > 0.05 * whole for mine, whole in areas.values())
    print(
        f"{len(fractions)} subjects in {len(areas)} photographs, {args.count} pictures: text covers {covered / total:.2%} "
        f"of their area, {max(fractions):.1%} of the worst; photographs over 5 %: {over}"
    )


if __name__ == "__main__":
    main()
