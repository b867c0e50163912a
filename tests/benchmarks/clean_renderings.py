"""What the reader makes of clean renderings of published prompts: the most that any model can score with it.

python tests/benchmarks/clean_renderings.py long_text FOLDER OUT --size 1024 --every 2
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.run import Asked, evaluate
from trainer.evaluate.suites.registry import open_suites


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", choices=("long_text", "cvtg"))
    parser.add_argument("prompts", help="the suite's prompt file or folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=1024, help="px of a side")
    parser.add_argument("--every", type=int, default=1, help="take one prompt of so many")
    asked = parser.parse_args()
    config = EvaluateConfig(prompts={asked.suite: asked.prompts}, size=(asked.size, asked.size), damaged=40)
    folder = asked.out / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    (suite,) = open_suites([asked.suite], config)
    items = suite.items()[:: asked.every]
    for item, clean in zip(items, suite.clean(items), strict=True):
        if clean is not None:
            Image.fromarray(clean.picture).save(folder / f"{item.id}-0.png", compress_level=1)
    report = evaluate(Asked(None, (asked.suite,), pictures=folder), asked.out / "evaluation", config)
    found = report["suites"][asked.suite]
    print(json.dumps({name: value for name, value in found.items() if name not in ("items", "groups")}))


if __name__ == "__main__":
    main()
