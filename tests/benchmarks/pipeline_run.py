"""The pipeline's steps beside a bare loop over the same work: ``python tests/benchmarks/pipeline_run.py``.

Two runs on all cores, one of photographs (sixteen crops of each that scikit-image and scikit-learn carry,
JPEG) and one of renderings. The bare loop does on one core, without Ray, child process or files, what
the workers do; ``of bare`` is a step's rate over that of the loop times the number of cores. Rates
include the start of workers and the loading of models, so that they grow with the number of inputs.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from annotate import load

from pipeline.annotators import measure
from pipeline.annotators.base import Annotator, Picture
from pipeline.annotators.nsfw import NsfwAnnotator
from pipeline.annotators.ocr import OcrAnnotator
from pipeline.decode import Limits, decode, small
from synth import Recipe

ROOT = Path(__file__).resolve().parents[2]
CROPS = 16
RECIPE = ROOT / "configs/synth/pure.yaml"
STEP = re.compile(r"^(collect|annotate|pack): ([\d,]+) inputs in .* \(([\d.]+)/s\)$", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renderings", type=int, default=12000)
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    photographs = crops()
    bare = {"photographs": bare_photographs(photographs), "renderings": bare_renderings(500)}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "pictures").mkdir()
        for number, data in enumerate(photographs):
            (work / "pictures" / f"{number:04}.jpg").write_bytes(data)
        rates = {
            "photographs": run(work / "a", {"kind": "folder", "name": "photographs", "path": str(work / "pictures")}),
            "renderings": run(
                work / "b", {"kind": "synth", "name": "pure", "recipe": str(RECIPE), "count": args.renderings}
            ),
        }
    figures: dict[str, object] = {"cores": cores, "photographs": len(photographs), "renderings": args.renderings}
    for what, steps in rates.items():
        for step, rate in steps.items():
            line = {"per_s_and_core": round(rate / cores, 1)}
            if step in bare[what]:
                line |= {"bare": round(bare[what][step], 1), "of_bare": round(rate / cores / bare[what][step], 2)}
            figures[f"{what}_{step}"] = line
            print(f"{what:12} {step:9} {line}")
    print(json.dumps(figures))


def crops() -> list[bytes]:
    """Crops of each photograph of the packages, 7/8 of its sides, JPEG of quality 90."""
    out = []
    for data in load(0):
        image = Image.fromarray(decode(data, Limits()))
        width, height = image.width * 7 // 8, image.height * 7 // 8
        for number in range(CROPS):
            left = (image.width - width) * number // (CROPS - 1)
            buffer = io.BytesIO()
            image.crop((left, 0, left + width, height)).save(buffer, "JPEG", quality=90)
            out.append(buffer.getvalue())
    return out


def run(path: Path, source: dict[str, object]) -> dict[str, float]:
    """Inputs per second of each step of ``pipeline run``."""
    config = {
        "sources": [source],
        "fragments": {"inputs": 64},
        "annotate": [{"kind": kind} for kind in ("measure", "nsfw", "ocr")],
        "decide": {"rules": []},
    }
    file = path.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "pipeline", "run", str(file), str(path)]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    return {step: float(rate) for step, _, rate in STEP.findall(done.stdout)}


def bare_photographs(files: Sequence[bytes]) -> dict[str, float]:
    """Photographs per second and core of what annotating them takes."""
    judges: tuple[Annotator, ...] = (measure.MeasureAnnotator(), NsfwAnnotator(), OcrAnnotator())
    for judge in judges:
        judge.setup()

    def work(number: int) -> None:
        data = files[(number * CROPS) % len(files)]
        pixels = decode(data, Limits())
        row = {"image": {"bytes": data}}
        for judge in judges:
            judge.annotate([Picture(row, pixels, {256: small(pixels, 256)})])

    return {"annotate": rate(work, len(files) // CROPS)}


def bare_renderings(count: int) -> dict[str, float]:
    """Renderings per second and core: drawn and encoded; decoded and measured."""
    recipe = Recipe.load(str(RECIPE))
    encoded: list[bytes] = []
    judge = measure.MeasureAnnotator()
    return {
        "collect": rate(lambda number: encoded.append(recipe.render(number).encode()[0]), count),
        "annotate": rate(lambda number: judge.annotate([Picture({}, decode(encoded[number], Limits()))]), count),
    }


def rate(work: Callable[[int], object], count: int) -> float:
    start = time.process_time()
    for number in range(count):
        work(number)
    return count / (time.process_time() - start)


if __name__ == "__main__":
    main()
