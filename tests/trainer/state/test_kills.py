"""A training that is killed at random moments, also while it saves, goes through the losses of one that is not."""

from __future__ import annotations

import json
from pathlib import Path

from tests import forked
from tests.waiting import DEADLINE_S


def losses(out: Path) -> list[tuple[int, float]]:
    return [(line["step"], line["loss"]) for line in map(json.loads, (out / "metrics.jsonl").read_text().splitlines())]


def test_killed_five_times_the_losses_are_the_same_bit_for_bit(
    tasks_trained: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    config = tmp_path / "fit.yaml"
    config.write_text(tasks_config.read_text().replace("every: 8", "every: 3"))
    out = tmp_path / "out"
    command = ["tests.trainer.state.kills", config, out, tasks_data, "5", "1"]
    ended = forked.run(command, "trainer", check=True, timeout=DEADLINE_S)
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["kills"] >= 3
    assert losses(out) == losses(tasks_trained)
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == ["step-18", "step-20"]
    weights = "export/transformer/diffusion_pytorch_model.safetensors"
    assert (out / weights).read_bytes() == (tasks_trained / weights).read_bytes()
