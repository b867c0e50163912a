"""Annotating beside a bare loop that does the same work: ``python tests/benchmarks/annotate_step.py [--inputs N] [--rounds N]``.

Inputs per CPU second of the whole process tree, without Ray. *Bare* decodes once and runs measure, NSFW score and OCR
where they apply, in one process without files. *Ours* are the workers of the step: guarded children, states, failures,
scores committed durably. Loading models is taken off: it is what N inputs take less what N / 4 take. Pairs are
repeated, the best of each counts. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from collect import ROOT, cpu_seconds
from pipeline_run import crops

from configs.pictures import Limits, decode, small
from pipeline.annotators import DEFAULT, Picture, build
from pipeline.engine import annotate
from pipeline.engine.annotate_jobs import known
from pipeline.engine.collect import Collector
from pipeline.parquet import read_table
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import FolderSource, Source, SynthSource
from pipeline.store.ledger import FragmentsConfig, fragments, write_ledger
from pipeline.store.run_folder import RunFolder

KINDS = ("photographs", "pure", "glyphs")
SHORT = 4
"""A short run has so many times fewer inputs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1024, help="renderings; photographs are an eighth of it")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for kind in KINDS:
            most = arguments.inputs // 8 if kind == "photographs" else arguments.inputs
            counts = (most // SHORT, most)
            places = [collected(Path(name) / f"{kind}-{count}", kind, count) for count in counts]
            best: dict[str, float] = {}
            for _ in range(arguments.rounds):
                for work in (bare, ours):
                    short, long = (cpu_seconds(work, *place) for place in places)
                    each = (long - short) / (counts[1] - counts[0])
                    best[work.__name__] = max(1 / each, best.get(work.__name__, 0.0))
            figures[kind] = {k: round(v, 1) for k, v in best.items()} | {
                "of bare": round(best["ours"] / best["bare"], 3)
            }
            print(kind, figures[kind], flush=True)
    print(json.dumps({"inputs_per_cpu_second": figures}))


def collected(folder: Path, kind: str, count: int) -> tuple[Path, Source]:
    """A run of ``count`` inputs whose samples are committed."""
    (folder / "in").mkdir(parents=True)
    source: Source = FolderSource(kind="folder", name=kind, path=str(folder / "in"))
    if kind == "photographs":
        for number, data in enumerate(crops()[:: max(1, 400 // count)][:count]):
            (folder / "in" / f"{number:04}.jpg").write_bytes(data)
    else:
        source = SynthSource(kind="synth", name=kind, recipe=str(ROOT / f"configs/synth/{kind}.yaml"), count=count)
    run = RunFolder(folder / "run")
    write_ledger(run.ledger(kind), kind, source.entries("sources.0", print), FragmentsConfig())
    worker = Collector(run, {kind: source.reader()}, Limits(), GuardConfig())
    for fragment in fragments(run.ledger(kind), kind):
        worker(fragment)
    worker.close()
    return folder, source


def bare(folder: Path, source: Source) -> None:
    judges = build(DEFAULT)
    for judge in judges:
        judge.setup()
    edges = {judge.thumbnail_edge for judge in judges if judge.input == "thumbnail"}
    for path in sorted((folder / "run" / "samples").iterdir()):
        for row in read_table(path).to_pylist():
            pixels, about = decode(row["image"]["bytes"], Limits()), known(row)
            for judge in (judge for judge in judges if judge.applies_to(about)):
                thumbnails = {edge: small(pixels, edge) for edge in edges} if judge.input == "thumbnail" else {}
                judge.annotate([Picture(about | {"image": row["image"]}, pixels, thumbnails)])


def ours(folder: Path, source: Source) -> None:
    run = RunFolder(folder / "run")
    workers = [step.worker(*step.args) for step in annotate.steps(run, build(DEFAULT), Limits(), GuardConfig())]
    for fragment in fragments(run.ledger(source.name), source.name):
        work = annotate.FragmentWork(fragment)
        for worker in workers:
            work = worker(work)
    for worker in workers:
        worker.close()
    shutil.rmtree(run.path / "scores")


if __name__ == "__main__":
    main()
