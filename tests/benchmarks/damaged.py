"""How often the reader takes a damaged character for whole, by what was done to it: python -m tests.benchmarks.damaged

Lone characters of the table's first two levels, drawn whole and damaged; those that it does not read whole are left out.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter

import numpy as np

from pipeline.ocr.reader import Reader
from synth.recipe import Recipe

WHOLE, DAMAGED = "damage.pictures=0", "damage.pictures=1"
LINES = ["contents=[{kind: balanced, levels: [1, 2], words: [2, 3]}]", "damage.characters=[1, 1]"]
SANS = ["canvases=[{size: [512, 96]}]", "layout.max_size=56", "colors.backgrounds={plain: 1}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200)
    count = parser.parse_args().pictures
    recipe = Recipe.load("configs/synth/damaged.yaml", [*LINES, *SANS, DAMAGED])
    reader, shown, accepted, unread = Reader(), Counter[str](), Counter[str](), 0
    reader.load()
    for index in range(count):
        sample = recipe.render(index)
        damaged = next(region for region in sample.regions if region.damage)
        read = reader.read_line(np.asarray(sample.image))[0]
        others = sample.text.replace(damaged.text, "")
        if sum(c in read for c in others) < 0.7 * len(others):  # it does not read this line at all
            unread += 1
            continue
        shown[str(damaged.damage)] += 1
        accepted[str(damaged.damage)] += read.count(damaged.text) >= sample.text.count(damaged.text)
    for what in sorted(shown):
        print(f"{what:20}{accepted[what]:5} of {shown[what]:4} read as whole")
    total = sum(accepted.values()) / max(sum(shown.values()), 1)
    print(json.dumps({"read as whole": round(total, 3), "of": sum(shown.values()), "lines not read": unread}))


if __name__ == "__main__":
    main()
