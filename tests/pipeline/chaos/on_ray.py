"""Workers, drivers and a node of one Ray cluster are killed at random moments: ``python -m tests.pipeline.chaos.on_ray ...``.

    HEAD    host:port of the head, the address of its job server and its folder     FOLDER  scratch
    SEEDS   first and last + 1                                                       NODE    yes: a second node is killed, too

Drivers are forks of this process, which has imported everything, so that all seeds share the cluster and the imports. Each
seed ends in a driver that nobody kills. Prints, as JSON, how often whom was killed and the seeds whose files differ from those
of a run that nobody disturbed, or whose sums do.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil

from pipeline.config import load_config
from pipeline.engine.run import run_pipeline
from tests.pipeline import commands
from tests.pipeline.chaos.lives import live, told_apart
from tests.pipeline.chaos.scenario import Place
from tests.pipeline.hostile import encode, picture
from tests.ray_head import Head, ray_node

CONFIG = """
sources: [{kind: folder, name: photos, path: PHOTOS}]
fragments: {inputs: 4}
annotate:
- {kind: "tests.pipeline.hooks:ThumbConfig"}
- {kind: "tests.pipeline.hooks:SaboteurConfig"}
- {kind: "tests.pipeline.hooks:MatesConfig"}
cluster: {address: "ADDRESS"}
"""
_PICTURES = 26
_STRIKES = 3
"""Times that somebody is killed in a seed, at most; chosen."""
_FILES = 25
"""Committed files of fragments, of 35, by which the last one is killed; chosen: the run is then not at its end."""


def main(cluster: str, address: str, environment: str, folder: str, first: str, last: str, node: str) -> None:
    here = Path(folder)
    config = _config(here, cluster)
    assert live(lambda: run_pipeline(load_config(config), here / "whole"))  # without Ray
    expected, killed, wrong = told_apart(Place(config, here / "whole").told), Counter[str](), []
    head = Head(address, cluster, json.loads(environment), here)
    with contextlib.ExitStack() as nodes:
        second = nodes.enter_context(ray_node(head)) if node == "yes" else None
        for seed in range(int(first), int(last)):
            lot, run = random.Random(seed), here / f"seed-{seed}"
            hunted = second if seed % 5 == 4 else None
            _disturb(lot, config, run, killed, hunted)
            if hunted and not psutil.pid_exists(hunted):
                second = nodes.enter_context(ray_node(head))
            told = told_apart(Place(config, run).told)
            if told != expected:
                wrong.append(seed)
    print(json.dumps({"killed": killed, "wrong": wrong, "sums": expected["sums"], "changed": _changed(config, run)}))


def _changed(config: Path, run: Path) -> list[str]:
    """Files of a finished run that the same command writes again, though an input is another one by now."""
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet")}
    (config.parent / "photos" / "000.png").write_bytes(b"edited after it was collected: changes nothing")
    assert _end(_drive(config, run))
    after = {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet")}
    return [path.name for path in {*before, *after} if before.get(path) != after.get(path)]


def _config(folder: Path, cluster: str) -> Path:
    commands.write_pictures(folder / "photos", _PICTURES, edge=64)
    (folder / "photos" / "sigsegv.png").write_bytes(encode(picture(64, 64, 99), "PNG"))
    (folder / "photos" / "broken.jpg").write_bytes(encode(picture(64, 64, 98), "JPEG")[:300])
    config = folder / "config.yaml"
    config.write_text(CONFIG.replace("PHOTOS", str(folder / "photos")).replace("ADDRESS", cluster))
    return config


def _disturb(lot: random.Random, config: Path, run: Path, killed: Counter[str], node: int | None) -> None:
    """A run to its end, in which some are killed."""
    driver = _drive(config, run)
    for files in sorted(lot.sample(range(_FILES), lot.randint(1, _STRIKES))):
        whom, delay = lot.choice(["worker", "driver"]), lot.uniform(0.0, 0.5)
        while _waited(driver, 0.1) is None and len(_committed(run)) < files:
            pass
        if _waited(driver, delay) is not None:
            break
        if node and psutil.pid_exists(node):
            whom = "node"
            _kill([psutil.Process(node), *psutil.Process(node).children(recursive=True)])
        elif whom == "worker":
            _kill(list(_workers())[:1])
        else:
            os.kill(driver, signal.SIGKILL)
            _end(driver)
            driver = _drive(config, run)
        killed[whom] += 1
    while not _end(driver):  # a worker that was killed too often may have stopped it: the same command goes on
        driver = _drive(config, run)


def _committed(run: Path) -> list[Path]:
    steps = ("samples", "scores/thumb", "scores/saboteur", "scores/mates", "failures")
    return [path for step in steps for path in commands.committed(run, step)]


def _drive(config: Path, run: Path) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            log = os.open(run.parent / "drivers.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            run_pipeline(load_config(config), run, wait=True)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _ended.pop(pid, None)
    return pid


_ended: dict[int, int] = {}


def _waited(pid: int, seconds: float) -> int | None:
    """The status of a driver that ends within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and pid not in _ended:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            _ended[pid] = os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    return _ended.get(pid)


def _end(pid: int) -> bool:
    return _waited(pid, 240) == 0


def _workers() -> Iterator[psutil.Process]:
    """Ray's workers of the test that started this process."""
    for process in psutil.Process(os.getppid()).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name().startswith("ray::MapWorker"):
                yield process


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
