"""Collecting beside a bare loop over the same inputs: ``python tests/benchmarks/collect.py [--inputs N] [--kinds K ...]``.

Inputs per CPU second of the whole process tree, without Ray. *Bare* is a loop in one process over the reader of the
source: bytes, header or rendering, sha256, captions with their tokens; no files are written. *Written* makes
samples/F.parquet of it, too, as a plain loop would. *Ours* is the step as it runs in a worker: guarded child, failures,
samples/F committed durably. For URLs, *bare* is aiohttp with sha256 and the same reader. What a process costs to start
is taken off: it is what N inputs take less what N / 8 take. Pairs are repeated, the best of each counts. The last line
is one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import resource
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from configs.pictures import Limits
from pipeline import schema
from pipeline.engine.collect import Collector
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import FolderSource, Source, SynthSource, WebDatasetSource
from pipeline.store.commit import to_table, write_table
from pipeline.store.ledger import FragmentsConfig, fragments, read_fragment, write_ledger
from pipeline.store.run_folder import RunFolder
from pipeline.tokens import finish_captions
from tests.pipeline.hostile import encode, picture

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("folder", "webdataset", "glyphs", "pure", "scene")
SHORT = 8
"""A short run has so many times fewer inputs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    arguments = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for kind in arguments.kinds:
            best: dict[str, float] = {}
            counts = (arguments.inputs // SHORT, arguments.inputs)
            places = [prepared(Path(name) / f"{kind}-{count}", kind, count) for count in counts]
            for _ in range(arguments.rounds):
                for work in (bare, written, ours):
                    spent = [cpu_seconds(work, *place) for place in places]
                    each = (spent[1] - spent[0]) / (counts[1] - counts[0])
                    best[work.__name__] = max(1 / each, best.get(work.__name__, 0.0))
            figures[kind] = {k: round(v, 1) for k, v in best.items()}
            figures[kind]["ours of bare"] = round(best["ours"] / best["bare"], 3)
            figures[kind]["ours of written"] = round(best["ours"] / best["written"], 3)
            print(kind, figures[kind], flush=True)
    print(json.dumps({"inputs_per_cpu_second": figures}))


def prepared(folder: Path, kind: str, count: int) -> tuple[Path, Source]:
    """A listed source of ``count`` inputs: JPEGs of 640 x 480 px with a caption each, or renderings."""
    folder.mkdir()
    source = _source(folder, kind, count)
    run = RunFolder(folder / "run")
    write_ledger(run.ledger(kind), kind, source.entries("sources.0", print), FragmentsConfig())
    return folder, source


def _source(folder: Path, kind: str, count: int) -> Source:
    if kind == "folder":
        (folder / "in").mkdir()
        for name, data in _files(count):
            (folder / "in" / name).write_bytes(data)
        return FolderSource(kind="folder", name=kind, path=str(folder / "in"), captions=".txt")
    if kind == "webdataset":
        with tarfile.open(folder / "in.tar", "w") as archive:
            for name, data in _files(count):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return WebDatasetSource(kind="webdataset", name=kind, tars=str(folder / "in.tar"))
    return SynthSource(kind="synth", name=kind, recipe=str(ROOT / f"configs/synth/{kind}.yaml"), count=count)


def _files(count: int) -> Iterator[tuple[str, bytes]]:
    bodies = [encode(picture(640, 480, seed=n), "JPEG") for n in range(16)]
    for number in range(count):
        yield f"{number:06d}.jpg", bodies[number % 16]
        yield f"{number:06d}.txt", f"A cloud of colors, number {number}, on a gray morning by the sea".encode()


def rows(folder: Path, source: Source) -> Iterator[list[dict[str, Any]]]:
    """The rows of each fragment, made in this process."""
    run, limits, reader = RunFolder(folder / "run"), Limits(), source.reader()
    reader.setup()
    for fragment in fragments(run.ledger(source.name), source.name):
        made = []
        for entry in read_fragment(run.ledger(source.name), fragment):
            row = reader.read(entry, limits) | {"id": entry["id"], "source": source.name, "uri": entry["uri"]}
            made.append(row | finish_captions(row.get("captions") or ()))
        yield made


def bare(folder: Path, source: Source) -> None:
    for _ in rows(folder, source):
        pass


def written(folder: Path, source: Source) -> None:
    arrow = schema.arrow(schema.COLLECTED)
    with tempfile.TemporaryDirectory(dir=folder) as out:
        for number, made in enumerate(rows(folder, source)):
            write_table(Path(out) / str(number), to_table(made, arrow), [])


def ours(folder: Path, source: Source) -> None:
    run = RunFolder(folder / "run")
    worker = Collector(run, {source.name: source.reader()}, Limits(), GuardConfig())
    for fragment in fragments(run.ledger(source.name), source.name):
        worker(fragment)
    worker.close()
    for path in run.samples("x").parent.iterdir():
        path.unlink()


def cpu_seconds(work: Callable[[Path, Source], None], folder: Path, source: Source) -> float:
    """Of ``work`` in a process of its own, its children included."""

    def child(results: multiprocessing.Queue[float]) -> None:
        before = _spent()
        work(folder, source)
        results.put(_spent() - before)

    context = multiprocessing.get_context("fork")
    results = context.Queue()
    process = context.Process(target=child, args=(results,))
    process.start()
    seconds = results.get()
    process.join()
    return seconds


def _spent() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return float(np.sum([u.ru_utime + u.ru_stime for u in used]))


if __name__ == "__main__":
    main()
