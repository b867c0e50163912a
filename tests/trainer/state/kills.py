"""A training that is killed again and again: ``python -m tests.trainer.state.kills CONFIG OUT DATA KILLS SEED``.

Each life is a fork of this process, which has imported everything already; it is killed at a random moment, every
second one while a checkpoint is being written. The last one runs to the end. Prints what happened as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from configs import load
from trainer.config import FitConfig
from trainer.fit import fit


def main(config: str, out: str, data: str, kills: str, seed: str) -> None:
    rng = random.Random(int(seed))
    counts = {"kills": 0, "while_saving": 0, "lives": 0}
    while counts["kills"] < int(kills):
        child = _live(config, out, data)
        counts["lives"] += 1
        saving = counts["lives"] % 2 == 0
        if _wait(child, Path(out), saving, rng.uniform(0.0, 1.5)):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            counts["kills"] += 1
            counts["while_saving"] += bool(_unfinished(Path(out)))
        else:
            break
    if not (Path(out) / "phases.json").exists():
        _, status = os.waitpid(_live(config, out, data), 0)
        assert status == 0, status
    print(json.dumps(counts))


def _live(config: str, out: str, data: str) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            fit(load(config, FitConfig), Path(out), Path(data))
            status = 0
        finally:
            os._exit(status)
    return child


def _wait(child: int, out: Path, saving: bool, delay: float) -> bool:
    """Until a step of this life is done and ``delay`` seconds more are over, or a save is under way; False at its end."""
    metrics = out / "metrics.jsonl"
    before = metrics.stat().st_mtime_ns if metrics.exists() else 0
    begun = None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert status == 0, status
            return False
        if begun is None and metrics.exists() and metrics.stat().st_mtime_ns != before:
            begun = time.monotonic()
        if begun is not None and (
            (saving and _unfinished(out)) or time.monotonic() - begun > (20 if saving else delay)
        ):
            return True
        time.sleep(0.0005)


def _unfinished(out: Path) -> list[Path]:
    return [p for p in (out / "checkpoints").glob("step-*") if not (p / "complete").exists()]


if __name__ == "__main__":
    main(*sys.argv[1:])
