"""Saving: what cannot be written is one line; old forms are read; SIGTERM saves; the best one stays."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch

from configs import load
from model.files import save_weights, write_json
from tests.forked import Command
from tests.trainer.trainers import open_trainer
from tests.waiting import DEADLINE_S, wait_until
from trainer.config import FitConfig
from trainer.fit import fit


def command(config: Path, out: Path, data: Path, *sets: str) -> list[str]:
    more = [word for change in sets for word in ("--set", change)]
    return ["trainer", "fit", str(config), str(out), "--data", str(data), *more]


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_a_disk_that_takes_no_more_is_one_line(tasks_config: Path, tasks_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = Command(command(tasks_config, out, tasks_data), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    # a file may not grow beyond 100 kB: as on a disk that is full
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
    _, told = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1, told
    (line,) = told.strip().splitlines()[-1:]
    assert line.startswith("stopped: ")
    assert "step-8: cannot be written" in line
    assert "(file too large)" in line  # the system's own word, which torch's error does not have
    assert "ulimit -f" in line
    assert "Traceback" not in told
    fit(load(tasks_config, FitConfig), out, tasks_data)  # with room, the same command goes on
    assert len(losses(out)) == 20
    left = {p.name for p in out.rglob("*")}
    assert not [name for name in left if name.endswith((".tmp", ".part"))]


def test_sigterm_saves_and_the_same_command_goes_on(tasks_config: Path, tasks_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    steps = "phases.0.steps=3000"
    process = Command(command(tasks_config, out, tasks_data, steps), stderr=subprocess.PIPE)
    wait_until(lambda: (out / "metrics.jsonl").exists() and len(losses_so_far(out)) >= 3, process.poll)
    os.kill(process.pid, signal.SIGTERM)
    _, told = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    done = len(losses(out))
    assert f"stopped: asked to end (SIGTERM) after {done:,} of 3,000 steps; all of it is saved" in told
    assert (out / "checkpoints" / f"step-{done}" / "complete").exists()


def losses_so_far(out: Path) -> list[str]:
    return (out / "metrics.jsonl").read_text().splitlines()


def test_a_checkpoint_of_the_first_form_goes_on(
    tasks_trained: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    config = load(tasks_config, FitConfig)
    out = Path(shutil.copytree(tasks_trained, tmp_path / "out"))
    for name in ("phases.json", "export", "checkpoints/step-20"):
        path = out / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    trainer = open_trainer(config, out, tasks_data)
    assert trainer.done == 16
    old = out / "checkpoints" / "step-000016"
    old.mkdir()
    save_weights(trainer.model.state_dict(), old, "model")
    save_weights(trainer.average.state(trainer.model), old, "ema")
    torch.save(trainer.optimizer.state_dict(), old / "optimizer.pt")
    write_json(old / "base.json", {"base": os.path.relpath(config.model or "", old)})
    write_json(old / "step.json", {"step": 16})
    shutil.rmtree(out / "checkpoints" / "step-16")
    fit(config, out, tasks_data)
    assert losses(out) == losses(tasks_trained)


def test_the_best_checkpoint_by_a_metric_stays(tasks_config: Path, tasks_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    best = "checkpoint={every: 100, keep: 1, best: {metric: loss_by_task.t2i, every: 4}}"
    fit(load(tasks_config, FitConfig, [best]), out, tasks_data)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    values = [line["loss_by_task"].get("t2i") for line in lines]
    means = {}
    for end in range(4, 21, 4):
        part = [v for v in values[end - 4 : end] if v is not None]
        means[end] = sum(part) / len(part)
    least = min(means, key=means.__getitem__)
    told = json.loads((out / "checkpoints" / "best.json").read_text())
    assert told["step"] == least
    assert told["metric"] == "loss_by_task.t2i"
    assert told["value"] == pytest.approx(means[least])
    assert {p.name for p in (out / "checkpoints").glob("step-*")} == {f"step-{least}", "step-20"}


def test_a_metric_that_there_is_not_is_one_line(tasks_config: Path, tasks_data: Path, tmp_path: Path) -> None:
    config = load(tasks_config, FitConfig, ["checkpoint.best={metric: loss_by_task.none, every: 4}"])
    with pytest.raises(
        Exception, match=r"field 'checkpoint.best.metric': no step of the last 4 had a number 'loss_by_task.none'"
    ):
        fit(config, tmp_path / "out", tasks_data)


@pytest.mark.parametrize(
    "optimizer",
    [
        "{in_backward: true, plan: adafactor, weights: bf16, ema: 0.9}",
        "{in_backward: true, plan: adamw8bit}",
        "{plan: adamw8bit, weights: bf16, ema: null, offload_blocks: 2}",
        "{in_backward: true, ema_device: host, offload_blocks: 2}",
        "{plan: adafactor, ema_device: host}",
        "{kind: muon}",
    ],
)
def test_by_any_plan_a_resumed_training_goes_on_bit_for_bit(
    tasks_config: Path, tasks_data: Path, tmp_path: Path, optimizer: str
) -> None:
    """With a rate that changes at each step, which an optimizer that was restored has to be told as well."""
    settings = optimizer.replace("}", ", lr: 5.0e-3, warmup: 2}")
    config = load(
        tasks_config,
        FitConfig,
        ["phases.0.steps=4", "checkpoint.every=2", "max_micro_batch_tokens=null", f"optimizer={settings}"],
    )
    fit(config, tmp_path / "out", tasks_data)
    lines, weights = ends(tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "checkpoints" / "step-4")
    fit(config, tmp_path / "out", tasks_data)
    assert ends(tmp_path / "out") == (lines, weights)


def ends(out: Path) -> tuple[list[float], bytes]:
    """Losses, and the exported weights."""
    lines = [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    return lines, (out / "export" / "transformer" / "diffusion_pytorch_model.safetensors").read_bytes()
