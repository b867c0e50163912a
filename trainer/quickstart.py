"""The whole way in one command: pictures and fonts in, balanced shards and a trained tiny model out.

    collect pictures ─> pipeline run ─> trainer fit ─> trainer evaluate ─> pipeline report ─> summary.json

Every step is one of the commands a user would type; it is printed before it runs, and each of them
resumes, so that running the quickstart again goes on where it was.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from configs import RunFailed, UserError
from configs.files import created_once, package_folder, replace_text
from pipeline.dataset import Dataset
from pipeline.decide.accounting import account, total
from pipeline.store.run_folder import RunFolder
from pipeline.store.timing import seconds_of
from trainer.monitor.cpu_time import run_counted

_PIPELINE = "configs/pipeline/quickstart.yaml"
_TRAIN = "configs/train/quickstart.yaml"
_PICTURES = (("skimage", "data"), ("sklearn", "datasets/images"))
"""Packages whose wheels carry photographs and pages of text, and the folder within."""
_SUFFIXES = (".png", ".jpg", ".gif", ".tif")


@dataclass
class _StepRunner:
    """Runs the steps in order and remembers how long each took, by the clock and of the CPU."""

    steps: int
    seconds: dict[str, float]
    cpu_seconds: dict[str, float]
    begun: int = 0

    def run(self, name: str, title: str, arguments: Sequence[str], made: Path | None = None) -> None:
        """Run ``python -m <arguments>``, unless ``made`` is there; raises RunFailed when it does not end well."""
        self.begun += 1
        print(f"\n[{self.begun}/{self.steps}] {title}\n    $ python -m {shlex.join(arguments)}", flush=True)
        if made is not None and made.exists():
            print(f"{made}: done before")
            return
        start = time.monotonic()
        status, cpu = run_counted([sys.executable, "-m", *arguments])
        took = time.monotonic() - start
        for kept, now in ((self.seconds, took), (self.cpu_seconds, cpu)):
            kept[name] = max(round(now, 1), kept.get(name, 0.0))  # going on where nothing is left takes no time
        print(f"{name}: {took:.0f} s, {cpu:.0f} s of CPU", flush=True)
        if status == 2:
            raise UserError(f"the step '{name}' was refused, its line above says why; nothing of it was begun")
        if status:
            raise RunFailed(
                f"the step '{name}' ended with status {status}; what was finished is kept, "
                "the same quickstart command goes on from it"
            )


def quickstart(out: Path, images: Path | None = None) -> dict[str, Any]:
    """Run the whole way into ``out`` and return the summary that is also written to ``out/summary.json``.

    ``images``: a folder of pictures to use instead of those in the installed packages.
    Raises UserError for a wrong folder, RunFailed where a step does not end well.
    """
    if images is not None and not images.is_dir():
        raise UserError(f"--images {images}: expected a folder of pictures, found {_what(images)}")
    if images is not None and not any(images.iterdir()):
        raise UserError(f"--images {images}: the folder is empty")
    _check_pictures(out, images or out / "inputs" / "photos")
    pictures = images or _collect_pictures(out / "inputs" / "photos")
    source = ["--set", f"sources.0.path={json.dumps(str(pictures))}"]
    if images is not None:
        source += ["--set", "sources.0.captions=null"]
    train, dataset, evaluation = out / "train", out / "dataset", out / "train" / "evaluation"

    steps = _StepRunner(steps=4, seconds=_earlier(out, "seconds"), cpu_seconds=_earlier(out, "cpu_seconds"))
    steps.run(
        "curate",
        "collect, annotate, synthesize, decide, balance, pack",
        ["pipeline", "run", _PIPELINE, str(out), *source],
    )
    steps.run(
        "train",
        "train a tiny Qwen-Image through its curriculum",
        ["trainer", "fit", _TRAIN, str(train), "--data", str(dataset)],
    )
    steps.run(
        "evaluate",
        "let PaddleOCR read what it draws",
        ["trainer", "evaluate", str(train), str(evaluation)],
        made=evaluation / "evaluation.json",
    )
    summary = _summarize(out, steps.seconds, steps.cpu_seconds)
    replace_text(out / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n", durable=False)
    steps.run("report", "put everything on one page", ["pipeline", "report", str(out)])
    _print_end(out, summary)
    return summary


def _check_pictures(out: Path, pictures: Path) -> None:
    """Raise UserError where the run in ``out`` was made from another folder."""
    if not (out / "run.yaml").exists():
        return
    before = yaml.safe_load((out / "run.yaml").read_text(encoding="utf-8"))["sources"][0].get("path")
    if before != os.path.abspath(pictures):
        raise UserError(
            f"{out}: was made from the pictures in {before}; for those in {pictures} name another folder: "
            "make quickstart OUT=runs/mine IMAGES=..., or delete this one"
        )


def _collect_pictures(folder: Path) -> Path:
    """Copy the pictures that installed packages carry into ``folder``; does nothing where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for package, inside in _PICTURES:
        for path in sorted((package_folder(package, "the quickstart's pictures") / inside).iterdir()):
            if path.suffix in _SUFFIXES and not (folder / path.name).exists():
                with created_once(folder / path.name, durable=False) as temporary:
                    shutil.copyfile(path, temporary)
    return folder


def _summarize(out: Path, seconds: dict[str, float], cpu_seconds: dict[str, float]) -> dict[str, Any]:
    """The figures of a finished quickstart: counts, seconds per step, losses by phase, OCR accuracy before and after.

    ``cpu_seconds``: of whole steps, with the processes that they start; ``seconds`` has the pipeline's parts.
    """
    run = RunFolder(out.absolute())
    everything = total(account(run))
    dataset = Dataset.open(out / "dataset")
    evaluation = json.loads((out / "train" / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    return {
        "counts": {name: getattr(everything, name) for name in ("inputs", "kept", "stopped", "failed")},
        "synthetic": dataset.about["counts"]["kind"].get("synthetic", 0),
        "digest": dataset.digest,
        "seconds": seconds_of(run) | {name: taken for name, taken in seconds.items() if name in ("train", "evaluate")},
        "cpu_seconds": cpu_seconds,
        "phases": json.loads((out / "train" / "phases.json").read_text(encoding="utf-8")),
        "ocr": {
            name: {key: suite[key] for key in ("count", "before", "after", "ceiling")}
            for name, suite in evaluation["suites"].items()
        },
    }


def _print_end(out: Path, summary: dict[str, Any]) -> None:
    """Where everything is, and what to run next."""
    counts = summary["counts"]
    print(
        f"\n{counts['inputs']:,} inputs = {counts['kept']:,} kept + {counts['stopped']:,} stopped + "
        f"{counts['failed']:,} failed; {summary['synthetic']:,} of the kept are synthetic"
    )
    for name, suite in summary["ocr"].items():
        before, after, ceiling = (f"{suite[k]['exact']:.0%}" for k in ("before", "after", "ceiling"))
        print(
            f"{name:>8}: {after} of {suite['count']} read correctly, {before} before training, {ceiling} on clean renderings"
        )
    print("\nLook at")
    for path, what in (
        ("report.html", "the whole run on one page"),
        ("train/samples.png", "what the model drew while it learned"),
        ("train/evaluation/glyphs.png", "what it draws now, and what was read"),
        ("dataset/README.md", "the data card"),
    ):
        print(f"    {out / path!s:44} {what}")
    print("Then try")
    run, dataset, export = (shlex.quote(str(p)) for p in (out, out / "dataset", out / "train" / "export"))
    for command in (
        f'python -m pipeline inspect {dataset} --where "text_level == 4"',
        f'python -m pipeline decide {run} --dry-run --set decide.rules.5.keep="clarity >= 200"',
        f"python -m model sample {export} --prompt '\"7\"' --width 64 --height 64 --steps 20 --negative '' --out seven.png",
        "python -m synth preview configs/synth/pure.yaml preview.png",
    ):
        print(f"    .venv/bin/{command}")


def _earlier(out: Path, field: str) -> dict[str, float]:
    """Seconds of steps that an earlier call finished, so that going on does not forget them."""
    path = out / "summary.json"
    try:
        earlier: dict[str, float] = json.loads(path.read_text(encoding="utf-8")).get(field, {}) if path.exists() else {}
    except (OSError, ValueError, AttributeError):
        raise UserError(f"{path}: is damaged; delete it and repeat the command: it is written again") from None
    return earlier


def _what(path: Path) -> str:
    return "a file" if path.exists() else "nothing"
