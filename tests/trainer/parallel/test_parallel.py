"""One training on 1, 2 and 3 processes (4: `make test-long`), divided in every way: the same losses and weights."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
from PIL import Image

from configs import UserError, load
from tests.forked import Command
from tests.trainer.trainers import some_rows
from tests.waiting import wait_until
from trainer.config import FitConfig
from trainer.fit import fit

STEPS = {64: 6, 32: 20}
"""By bits: in 64 a difference of 1e-10 shows at once, and a step costs twice as much."""
CLIP = "optimizer.clip=0.3"
"""Norms are from 0.5 on, so that every gradient is clipped."""
SHORT = (f"phases.0.steps={STEPS[32]}", CLIP, "optimizer.eps=1.0e-6")
"""With AdamW's 1e-8 a gradient that is 0 but for rounding moves its weight by a whole step, this way or that."""
FP64 = (f"phases.0.steps={STEPS[64]}", CLIP, "precision=fp64")
SAMPLES = "samples={prompts: [a cat], rows: 1, size: [32, 32], steps: 2, every: 10, reference_area: 1024}"


def launch(ranks: int, jobs: list[dict[str, object]], folder: Path) -> None:
    """Train in so many processes, with the environment that torchrun gives them."""
    path = folder / f"jobs-{ranks}.json"
    path.write_text(json.dumps(jobs))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    there = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        Command(
            ["tests.trainer.parallel.run_fits", path],
            "trainer",
            env=os.environ | (there | {"RANK": str(rank), "LOCAL_RANK": str(rank)} if ranks > 1 else {}),
            stdout=subprocess.DEVNULL,
            stderr=(folder / f"errors-{ranks}-{rank}").open("w"),
        )
        for rank in range(ranks)
    ]
    ended = [process.wait(timeout=1200) for process in processes]
    told = [(folder / f"errors-{ranks}-{rank}").read_text()[-4000:] for rank in range(ranks)]
    assert ended == [0] * ranks, "\n".join(told)


def torchrun(ranks: int) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]


@pytest.fixture(scope="module")
def outs(tasks_config: Path, tasks_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT folders by name; ``one-*`` are of a single process."""
    folder = tmp_path_factory.mktemp("parallel")

    def job(name: str, *sets: str) -> dict[str, object]:
        return {"config": str(tasks_config), "set": (*SHORT, *sets), "out": str(folder / name), "data": str(tasks_data)}

    tp = "parallel.tp=2"
    rows = some_rows(tasks_data, 8)
    held_out = ("phases.0.steps=4", f'validation={{where: "{rows}", samples: 6, every: 2}}', SAMPLES)
    launches = {
        1: [job("one-64", *FP64), job("one-32"), job("held-1", *held_out)],
        2: [
            *(job("fsdp2-64", *FP64), job("fsdp2-32"), job("ddp2-64", *FP64, "parallel.mode=ddp")),
            *(job("tp2-64", *FP64, tp), job("held-2", *held_out)),
        ],
        3: [job("fsdp3-64", *FP64)],
    }
    for ranks, jobs in launches.items():
        launch(ranks, jobs, folder)
    return folder


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def weights(out: Path) -> dict[str, torch.Tensor]:
    """Weights and averages of the last checkpoint."""
    folder = out / "checkpoints" / f"step-{len(lines(out))}"
    sizes = dcp.FileSystemReader(folder).read_metadata().state_dict_metadata
    state = {
        key: torch.empty(about.size, dtype=about.properties.dtype)
        for key, about in sizes.items()
        if key.startswith(("model.", "ema."))
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.load(state, checkpoint_id=folder, no_dist=True)
    return state


def difference(one: Path, other: Path) -> tuple[float, float]:
    """Largest differences of losses, norms of gradients among them, and of weights."""
    pairs = list(zip(lines(one), lines(other), strict=True))
    losses = [abs(a[key] - b[key]) for a, b in pairs for key in ("loss", "grad_norm")]  # type: ignore[operator]
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    return max(losses), max(float((ours[key] - theirs[key]).abs().max()) for key in ours)


def test_the_training_is_what_it_is_meant_to_be(outs: Path, tasks_config: Path) -> None:
    told = lines(outs / "one-64")
    assert len(told) == STEPS[64]
    assert all({"t2i", "ti2i"} <= set(line["samples_by_task"]) for line in told)  # type: ignore[arg-type]
    assert any("i2i" in line["samples_by_task"] for line in told)  # type: ignore[operator]
    for ranks in (2, 3):
        assert any(line["samples"] % ranks for line in told)  # type: ignore[operator]
    assert min(line["grad_norm"] for line in told) > 0.3  # type: ignore[type-var]
    assert load(tasks_config, FitConfig).max_micro_batch_tokens == 700


@pytest.mark.parametrize("name", ["fsdp2-64", "ddp2-64", "tp2-64", "fsdp3-64"])
def test_in_fp64_losses_and_weights_agree_to_1e_10(outs: Path, name: str) -> None:
    loss, weight = difference(outs / "one-64", outs / name)
    assert loss < 1e-10
    assert weight < 1e-10


def test_in_fp32_losses_agree_to_1e_6_and_weights_to_1e_4(outs: Path) -> None:
    loss, weight = difference(outs / "one-32", outs / "fsdp2-32")
    assert loss < 1e-6
    assert weight < 1e-4


def test_validation_and_samples_are_those_of_one_process(outs: Path) -> None:
    ours, theirs = ([line for line in lines(outs / f"held-{n}") if "validation_loss" in line] for n in (1, 2))
    assert len(ours) == 2
    for one, other in zip(ours, theirs, strict=True):
        assert one["validation_loss"] == pytest.approx(other["validation_loss"], rel=1e-5)
    sheets = [sorted(path.name for path in (outs / f"held-{n}" / "samples").iterdir()) for n in (1, 2)]
    assert sheets[0] == sheets[1]
    assert len(sheets[0]) >= 2
    for name in sheets[0]:
        if name.endswith(".png"):
            one, other = (np.asarray(Image.open(outs / f"held-{n}" / "samples" / name), dtype=int) for n in (1, 2))
            assert np.abs(one - other).max() <= 1


def test_every_rank_writes_the_same_metrics_but_for_time(outs: Path) -> None:
    for ours, theirs in zip(lines(outs / "one-64"), lines(outs / "fsdp3-64"), strict=True):
        for key in ("step", "phase", "samples", "samples_by_task", "image_tokens", "lr"):
            assert ours[key] == theirs[key]


def test_a_rank_that_is_killed_is_named_and_another_number_of_ranks_goes_on(
    outs: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [*torchrun(2), "-m", "trainer", "fit", str(tasks_config), str(out), "--data", str(tasks_data)]
    command += [word for change in (*SHORT, "checkpoint.every=4") for word in ("--set", change)]
    process = subprocess.Popen(command, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    metrics = out / "metrics.jsonl"
    wait_until(lambda: metrics.exists() and len(metrics.read_text().splitlines()) >= 6, process.poll)
    (second,) = [pid for pid in children(process.pid) if b"RANK=1" in environment(pid).split(b"\0")]
    os.kill(second, signal.SIGKILL)
    killed = time.monotonic()
    _, told = process.communicate(timeout=90)
    assert time.monotonic() - killed < 60
    assert process.returncode == 1
    (line,) = [line for line in told.splitlines() if line.startswith("stopped: ")]
    assert line.startswith("stopped: rank 1 of 2 is gone")
    assert "the same command goes on from the last one" in line
    fit(load(tasks_config, FitConfig, SHORT), out, tasks_data)
    assert max(abs(a["loss"] - b["loss"]) for a, b in zip(lines(out), lines(outs / "one-32"), strict=True)) < 1e-6  # type: ignore[operator]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["parallel.tp=3"], "field 'parallel.tp': 3 must divide the 1 processes"),
        (["parallel.mode=fsdp", "optimizer.kind=muon"], "fsdp and tp divide weights, and optimizer.kind muon needs"),
        (["parallel.mode=fsdp", "lora={rank: 2, base_dtype: fp32}"], "and lora needs them whole; take ddp or auto"),
        (["parallel.mode=fsdp", "optimizer.offload_blocks=1"], "and optimizer.offload_blocks needs them whole"),
        (
            ["parallel.mode=ddp", "optimizer.in_backward=true", "max_micro_batch_tokens=null"],
            "field 'optimizer.in_backward'",
        ),
        (["parallel={mode: ddp, tp: 2}"], "field 'tp': 2 needs mode fsdp or auto, found mode ddp"),
    ],
)
def test_what_cannot_be_together_is_refused_before_anything_is_written(
    tasks_config: Path, tasks_data: Path, tmp_path: Path, change: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        fit(load(tasks_config, FitConfig, change), tmp_path / "out", tasks_data)
    assert not (tmp_path / "out").exists()


@pytest.mark.long
@pytest.mark.parametrize(("ranks", "tp", "bits", "close"), [(4, 2, 64, 1e-10), (4, 4, 64, 1e-10), (2, 2, 32, 1e-4)])
def test_other_numbers_agree_too(
    outs: Path, tasks_config: Path, tasks_data: Path, ranks: int, tp: int, bits: int, close: float
) -> None:
    out = outs / f"tp{tp}-of-{ranks}-{bits}"
    sets = [*(FP64 if bits == 64 else SHORT), f"parallel.tp={tp}"]
    job = {"config": str(tasks_config), "set": sets, "out": str(out), "data": str(tasks_data)}
    launch(ranks, [job], outs)
    loss, weight = difference(outs / f"one-{bits}", out)
    assert loss < min(close, 1e-6)
    assert weight < close


@pytest.mark.long
def test_compiled_blocks_give_the_same_losses(tasks_config: Path, tasks_data: Path, tmp_path: Path) -> None:
    for name, compiled in (("plain", "false"), ("compiled", "true")):
        sets = ["phases.0.steps=3", f"parallel.compile={compiled}"]
        fit(load(tasks_config, FitConfig, sets), tmp_path / name, tasks_data)
    pairs = zip(lines(tmp_path / "plain"), lines(tmp_path / "compiled"), strict=True)
    assert max(abs(a["loss"] - b["loss"]) for a, b in pairs) < 1e-6  # type: ignore[operator]
