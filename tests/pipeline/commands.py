"""Running ``python -m pipeline`` as a user does, and looking at what it left behind."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil

from tests.forked import Command
from tests.pipeline.hostile import encode, picture
from tests.waiting import DEADLINE_S


def start(config: Path, run: Path, *more: str) -> subprocess.Popen[str]:
    """``pipeline run`` in the background; its output is a pipe."""
    return Command(["pipeline", "run", config, run, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen[str], status: int = 0) -> str:
    """Wait for the end, check the status, return the output."""
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == status, output
    return output


def run_to_end(config: Path, run: Path, *more: str) -> str:
    return finish(start(config, run, *more))


def run_inline(*arguments: Path | str, status: int = 0) -> str:
    """``pipeline`` with these arguments in one process without Ray, to its end; its output."""
    command = ["tests.pipeline.run_inline", *arguments]
    return finish(Command(command, "pipeline", stdout=subprocess.PIPE, stderr=subprocess.STDOUT), status)


def committed(run: Path, step: str) -> list[Path]:
    """Committed fragments under ``samples``, ``scores/<annotator>`` or ``failures``."""
    return sorted(p for p in (run / step).glob("*.parquet") if not p.name.startswith("."))


def digest(run: Path) -> dict[str, str]:
    """sha256 of every committed file of a run, and the digest of its dataset."""
    files = [p for p in run.rglob("*.parquet") if not p.name.startswith(".")]
    found = {str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    dataset = run / "dataset" / "dataset.json"
    return found | ({"dataset": json.loads(dataset.read_text())["digest"]} if dataset.exists() else {})


def table(run: Path, step: str) -> pl.DataFrame:
    return pl.read_parquet(committed(run, step))


def guarded_workers(driver: int) -> Iterator[psutil.Process]:
    """Ray workers below the process ``driver`` that have a guarded child, that is, are at work."""
    for process in psutil.Process(driver).children(recursive=True):
        try:
            if process.name().startswith("ray::MapWorker") and process.children():
                yield process
        except psutil.NoSuchProcess:
            continue


def write_pictures(folder: Path, count: int, edge: int = 96) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        (folder / f"{index:03d}.png").write_bytes(encode(picture(edge, edge, seed=index), "PNG"))
