"""Measuring pictures beside others, in one run: ``python tests/benchmarks/peers.py --data-juicer PYTHON [--copies N]``.

The same JPEGs of photographs, pictures per CPU second of the whole process tree and per second of the clock on all cores:

- *ours*: the workers of ``annotate`` with ``measure`` alone (guarded children, states, committed scores), one a core.
- *plain loop*: ``multiprocessing.Pool`` that decodes and computes the same measures, and keeps them in memory.
- *Data-Juicer*: four of its operators that need no weights (shape, size of file, aspect ratio, duplicates by perceptual
  hash), run by its own dataset in a process a core. ``PYTHON``: of an environment with ``py-data-juicer`` and ``aiohttp``.

What N pictures take less what N / 4 take, so that starting is taken off. The last line is one JSON object. NeMo Curator's
stages for pictures decode by DALI and judge by weights that have to be downloaded: there is nothing to compare.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from pipeline_run import crops

from configs.pictures import Limits, decode
from pipeline.annotators import Picture, build
from pipeline.annotators.measure import MeasureConfig
from pipeline.engine import annotate
from pipeline.engine.collect import Collector
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import FolderSource
from pipeline.store.ledger import Fragment, FragmentsConfig, fragments, write_ledger
from pipeline.store.run_folder import RunFolder

CORES = len(os.sched_getaffinity(0))
SHORT = 4
"""A short run has so many times fewer pictures."""
_JUICER = """
import sys
from pathlib import Path
from data_juicer.core.data import NestedDataset
from data_juicer.ops.filter import ImageAspectRatioFilter, ImageShapeFilter, ImageSizeFilter
from data_juicer.ops.deduplicator import ImageDeduplicator
folder, cores = Path(sys.argv[1]), int(sys.argv[2])
data = NestedDataset.from_list([{"text": "", "images": [str(path)]} for path in sorted(folder.iterdir())])
data.process([
    ImageShapeFilter(min_width=1, min_height=1, num_proc=cores), ImageSizeFilter(min_size="1", num_proc=cores),
    ImageAspectRatioFilter(min_ratio=0.01, max_ratio=100, num_proc=cores),
    ImageDeduplicator(method="phash", num_proc=cores),
])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-juicer", help="a Python that has it")
    parser.add_argument("--pictures", type=int, default=1200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        counts = (arguments.pictures // SHORT, arguments.pictures)
        folders = [written(Path(name) / str(count), count) for count in counts]
        works: dict[str, Callable[[Path], None]] = {"ours": ours, "plain loop": plain}
        if arguments.data_juicer:
            works["Data-Juicer"] = lambda folder: juicer(arguments.data_juicer, folder)
        found = {}
        for label, work in works.items():
            (cpu_few, few), (cpu_many, many) = (spent(work, folder) for folder in folders)
            more = counts[1] - counts[0]
            found[label] = {
                "per_cpu_second": round(more / (cpu_many - cpu_few), 1),
                "per_second": round(more / (many - few), 1),
            }
            print(label, found[label], flush=True)
    print(json.dumps({"cores": CORES, "pictures": arguments.pictures, "rates": found}))


def written(folder: Path, count: int) -> Path:
    """A folder of so many JPEGs, no two the same file, and a run whose samples are collected beside it."""
    pictures, kinds = folder / "in", crops()
    pictures.mkdir(parents=True)
    for number in range(count):
        (pictures / f"{number:05}.jpg").write_bytes(kinds[number % len(kinds)] + b"%d" % number)
    source, run = FolderSource(kind="folder", name="in", path=str(pictures)), RunFolder(folder / "run")
    write_ledger(run.ledger("in"), "in", source.entries("sources.0", print), FragmentsConfig(inputs=64))
    collector = Collector(run, {"in": source.reader()}, Limits(), GuardConfig())
    for fragment in fragments(run.ledger("in"), "in"):
        collector(fragment)
    collector.close()
    return folder


def spent(work: Callable[[Path], None], folder: Path) -> tuple[float, float]:
    """(CPU seconds of the whole tree, seconds of the clock) of ``work`` in a process of its own."""
    context = multiprocessing.get_context("fork")
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = context.Process(target=work, args=(folder,))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{work}: ended with {process.exitcode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - begun


def ours(folder: Path) -> None:
    run = RunFolder(folder / "run")
    mine = list(fragments(run.ledger("in"), "in"))
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_work, args=(run, mine[core::CORES])) for core in range(CORES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _work(run: RunFolder, mine: list[Fragment]) -> None:
    steps = annotate.steps(run, build((MeasureConfig("measure"),)), Limits(), GuardConfig())
    workers = [step.worker(*step.args) for step in steps]
    for fragment in mine:
        work = annotate.FragmentWork(fragment)
        for worker in workers:
            work = worker(work)
    for worker in workers:
        worker.close()


def plain(folder: Path) -> None:
    with multiprocessing.get_context("fork").Pool(CORES) as pool:
        list(pool.imap_unordered(_measured, sorted((folder / "in").iterdir()), chunksize=16))


def _measured(path: Path) -> object:
    (judge,) = build((MeasureConfig("measure"),))
    return judge.annotate([Picture({}, decode(path.read_bytes(), Limits()))])


def juicer(python: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as cache:
        command = [python, "-c", _JUICER, str(folder / "in"), str(CORES)]
        told = {"cwd": cache, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, check=True, env=os.environ | {"HF_HOME": cache}, **told)  # type: ignore[call-overload]


if __name__ == "__main__":
    main()
