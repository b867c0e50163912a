"""``launch: ray``: Ray Train runs the same loop, and goes on when a worker is killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from configs import load
from trainer.config import FitConfig
from trainer.fit import fit

pytestmark = pytest.mark.long

RAY = ["launch=ray", "num_workers=[1, 2]", "checkpoint.every=2"]


def losses(out: Path) -> list[float]:
    text = (out / "metrics.jsonl").read_text() if (out / "metrics.jsonl").exists() else ""
    return [json.loads(line)["loss"] for line in text.splitlines()]


def test_a_killed_worker_is_replaced_and_the_losses_are_those_of_one_process(
    tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    alone, out = tmp_path / "alone", tmp_path / "out"
    fit(load(tasks_config, FitConfig), alone, tasks_data)
    more = [word for change in RAY for word in ("--set", change)]
    command = [sys.executable, "-m", "trainer", "fit", str(tasks_config), str(out), "--data", str(tasks_data), *more]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 240
    while len(losses(out)) < 5:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = [
        p
        for p in psutil.Process(process.pid).children(recursive=True)
        if "RayTrainWorker" in p.name() + " ".join(p.cmdline())
    ]
    assert workers
    workers[-1].kill()
    told, _ = process.communicate(timeout=240)
    assert process.returncode == 0, told
    assert losses(out) == pytest.approx(losses(alone), rel=1e-5)
    assert (out / "export" / "model_index.json").exists()
    assert not (out / "ray").exists()
