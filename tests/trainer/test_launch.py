"""``launch: ray``: Ray Train runs the same loop, and goes on when a worker is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import ray

from configs import UserError, load
from tests.waiting import DEADLINE_S, wait_until
from trainer.config import FitConfig
from trainer.fit import fit
from trainer.launch import _work, launch, workers_with_room
from trainer.start import Start

RAY = ["launch=ray", "num_workers=[1, 2]", "checkpoint.every=2"]


def losses(out: Path) -> list[float]:
    text = (out / "metrics.jsonl").read_text() if (out / "metrics.jsonl").exists() else ""
    return [json.loads(line)["loss"] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("parallel.tp=2", "field 'parallel.tp': 2 must divide the 1 processes"),
        ("parallel.mode=single", "field 'parallel.mode': single is for one process, found 2"),
        ("weights=nowhere.safetensors", "nowhere.safetensors: does not exist"),
        ("encoded=nowhere", "nowhere"),
    ],
)
def test_what_workers_would_refuse_starts_none(
    tasks_config: Path, tasks_data: Path, tmp_path: Path, change: str, message: str
) -> None:
    config = load(tasks_config, FitConfig, [*RAY, *change.split()])
    with pytest.raises(UserError, match=message):
        launch(config, tmp_path / "out", tasks_data, False, Start())
    assert not (tmp_path / "out").exists()
    assert not ray.is_initialized()


def test_a_worker_finds_the_relative_paths_of_its_config(
    tasks_config: Path, tasks_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray Train starts its workers in a folder of its own."""
    config = load(tasks_config, FitConfig, ["phases.0.steps=1"])
    model = Path(config.model)
    job = {"config": replace(config, model=model.name), "out": tmp_path / "out", "data": tasks_data, "start": Start()}
    monkeypatch.chdir(tmp_path)
    _work({**job, "where": model.parent})
    assert len(losses(tmp_path / "out")) == 1
    assert Path.cwd() == model.parent


@pytest.mark.parametrize(
    ("change", "gpus", "there", "expected"),
    [
        ("num_workers=[1,4]", False, {"CPU": 2.0}, (1, 4)),  # Ray takes as many as there is room for
        ("encode=live num_workers=[1,4] producers.count=2", False, {"CPU": 7.0}, (1, 2)),
        ("encode=live num_workers=[2,2] producers={count: 1, cpus: 0.5}", False, {"CPU": 3.0}, (2, 2)),
        ("encode=live num_workers=[1,8] producers={count: 2, gpus: 0.5}", True, {"CPU": 64.0, "GPU": 8.0}, (1, 4)),
        ("encode=live num_workers=[1,8] producers={count: 2, cpus: 0}", False, {"CPU": 5.0}, (1, 5)),
    ],
)
def test_workers_leave_room_for_the_producers_they_wait_for(
    tasks_config: Path, change: str, gpus: bool, there: dict[str, float], expected: tuple[int, int]
) -> None:
    sets = change.replace(": ", ":").replace(", ", ",").split()
    config = load(tasks_config, FitConfig, ["launch=ray", *(s.replace(":", ": ") for s in sets)])
    assert workers_with_room(config, gpus, there) == expected


def test_producers_for_which_there_is_no_room_are_refused(tasks_config: Path) -> None:
    config = load(tasks_config, FitConfig, ["launch=ray", "encode=live", "num_workers=[1, 2]", "producers.count=2"])
    with pytest.raises(
        UserError, match=r"'producers.count': a worker and its 2 producers take 3 CPUs, 1 of them 3, and"
    ):
        workers_with_room(config, False, {"CPU": 2.0})


@pytest.mark.long
@pytest.mark.parametrize("alone", [True, False])
def test_what_stops_a_worker_is_told_by_the_command(
    tasks_config: Path, tasks_data: Path, tmp_path: Path, alone: bool
) -> None:
    """Of a rank that knows it alone, too, while the other one waits for it; and no second try."""
    out = tmp_path / "out"
    more = ["num_workers=[2, 2]", "launch=ray"]
    if alone:  # rank 0 has config.yaml to itself
        fit(load(tasks_config, FitConfig, ["phases.0.steps=2", "checkpoint.every=1"]), out, tasks_data)
        more += ["phases.0.steps=4", "seed=1"]
    else:  # all of them find it out together
        more += ["optimizer.lr=1.0e+30", "optimizer.warmup=0"]
    words = [word for change in more for word in ("--set", change)]
    command = [sys.executable, "-m", "trainer", "fit", str(tasks_config), str(out), "--data", str(tasks_data), *words]
    ended = subprocess.run(command, text=True, capture_output=True, timeout=DEADLINE_S)
    assert ended.returncode == (2 if alone else 1), ended.stdout + ended.stderr
    wanted = "was started with another 'seed'" if alone else "not finite"
    assert wanted in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stdout + ended.stderr
    assert not (out / "ray").exists()


@pytest.mark.long
def test_a_killed_worker_is_replaced_and_the_losses_are_those_of_one_process(
    tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    alone, out = tmp_path / "alone", tmp_path / "out"
    fit(load(tasks_config, FitConfig), alone, tasks_data)
    more = [word for change in RAY for word in ("--set", change)]
    command = [sys.executable, "-m", "trainer", "fit", str(tasks_config), str(out), "--data", str(tasks_data), *more]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_until(lambda: len(losses(out)) >= 5, process.poll)
    workers = [
        p
        for p in psutil.Process(process.pid).children(recursive=True)
        if "RayTrainWorker" in p.name() + " ".join(p.cmdline())
    ]
    assert workers
    workers[-1].kill()
    told, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, told
    assert re.search(r"workers were lost: [12] of Ray's workers train from step \d+ on", told), told
    assert losses(out) == pytest.approx(losses(alone), rel=1e-5)
    assert (out / "export" / "model_index.json").exists()
    assert not (out / "ray").exists()


@pytest.mark.long
def test_a_second_command_is_refused_and_sigterm_saves(tasks_config: Path, tasks_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    more = [word for change in ("launch=ray", "phases.0.steps=3000") for word in ("--set", change)]
    command = [sys.executable, "-m", "trainer", "fit", str(tasks_config), str(out), "--data", str(tasks_data), *more]
    first = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: len(losses(out)) >= 3, first.poll)
    second = subprocess.run(command, text=True, capture_output=True, timeout=DEADLINE_S)
    assert second.returncode == 2, second.stdout + second.stderr
    assert f"is in use by process {first.pid}" in second.stderr
    first.terminate()
    told, stopped = first.communicate(timeout=DEADLINE_S)
    done = len(losses(out))
    assert first.returncode == 1, told + stopped
    (line,) = stopped.splitlines()
    assert line.startswith(f"stopped: asked to end (SIGTERM) after {done:,} of 3,000 steps; all of it is saved")
    assert (out / "checkpoints" / f"step-{done}" / "complete").exists()
    assert not (out / "ray").exists()


@pytest.mark.long
def test_a_signal_to_the_whole_process_group_ends_in_a_line(
    tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    """As schedulers and ``timeout`` send it: Ray's own processes get it, too."""
    out = tmp_path / "out"
    more = [word for change in (*RAY, "phases.0.steps=3000") for word in ("--set", change)]
    command = [sys.executable, "-m", "trainer", "fit", str(tasks_config), str(out), "--data", str(tasks_data), *more]
    process = subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    wait_until(lambda: len(losses(out)) >= 5, process.poll)
    os.killpg(process.pid, signal.SIGTERM)
    asked = time.monotonic()
    _, told = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert told.splitlines()[-1].startswith("stopped: asked to end (SIGTERM)"), told
    assert time.monotonic() - asked < 45  # Ray itself gives up after 60
    assert not (out / "ray").exists()
    assert any((out / "checkpoints").glob("step-*/complete"))
