"""What is not finite stops before a weight changes, and is named."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from configs import RunFailed, load
from model import QwenImage
from model.config import ModelConfig
from model.init import init_folder
from tests.model.folders import TINY
from tests.trainer.conftest import SMALL
from trainer.config import FitConfig
from trainer.fit import fit
from trainer.start import Start

# Far too high a rate: after a step or two the losses overflow.
EXPLODES = ["optimizer.lr=1e30", "optimizer.warmup=0", "checkpoint.every=1", "phases.0.steps=12"]


def strict(line: str) -> dict[str, object]:
    """JSON proper, which has neither NaN nor Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(line, parse_constant=refuse)


def test_a_loss_that_is_not_finite_stops_and_the_last_checkpoint_stays(
    tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(RunFailed) as caught:
        fit(load(tasks_config, FitConfig, EXPLODES), out, tasks_data)
    told = str(caught.value)
    step = int(re.match(r"step (\d+): the (loss|gradient's norm) is not finite; samples ", told)[1])  # type: ignore[index]
    assert re.search(r"samples [0-9a-f]{32} \(sigma 0\.\d{4}\)", told)
    assert "\n" not in told
    lines = [strict(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(step))
    newest = max((out / "checkpoints").glob("step-*"), key=lambda p: int(p.name[5:]))
    assert newest.name == f"step-{step}"
    assert (newest / "complete").exists()
    with pytest.raises(RunFailed, match=rf"step {step}: "):  # again, and not the step after it
        fit(load(tasks_config, FitConfig, EXPLODES), out, tasks_data)


def test_weights_that_a_finite_gradient_made_infinite_are_not_saved(
    tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    sets = ["optimizer.lr=1e39", "optimizer.warmup=0", "checkpoint={every: 1, keep: 1}", "optimizer.ema=null"]
    with pytest.raises(RunFailed, match=r"the weights after 1 steps are not finite, though .* they are not saved"):
        fit(load(tasks_config, FitConfig, sets), tmp_path / "out", tasks_data)
    assert not list((tmp_path / "out" / "checkpoints").glob("step-*"))


def test_with_the_optimizer_in_the_backward_pass_samples_are_named_too(
    edit_base: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    sets = ["optimizer={lr: 1e30, warmup: 0, in_backward: true}", "checkpoint.every=1", "max_micro_batch_tokens=null"]
    with pytest.raises(RunFailed) as caught:
        fit(load(tasks_config, FitConfig, sets), tmp_path / "out", tasks_data)
    told = str(caught.value)
    assert re.match(
        r"step \d+: the gradient of .* is not finite \(\w+\); samples [0-9a-f]{32} \(sigma 0\.\d{4}\)", told
    )
    assert "go on from the last checkpoint" in told


def test_a_gradient_of_nothing_is_told_once(
    tasks_config: Path, tasks_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = tmp_path / "fresh"
    init_folder(load(TINY, ModelConfig, SMALL), fresh)
    sets = [f"model={fresh}", "lora={rank: 2}", "optimizer.ema=null", "phases.0.steps=3"]
    fit(load(tasks_config, FitConfig, sets), tmp_path / "out", tasks_data)
    assert capsys.readouterr().out.count("the gradient is exactly 0") == 1


def test_such_steps_are_skipped_by_policy_at_most_so_many_in_a_row(
    tasks_config: Path, tasks_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    skip = [*EXPLODES, "on_nonfinite={policy: skip, limit: 2}"]
    with pytest.raises(RunFailed, match="not finite"):
        fit(load(tasks_config, FitConfig, skip), out, tasks_data)
    told = capsys.readouterr().out
    assert "the step is skipped, 1 in a row of at most 2" in told
    assert "the step is skipped, 2 in a row of at most 2" in told
    lines = [strict(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    skipped = [line for line in lines if line.get("skipped")]
    assert len(skipped) == 2
    assert all(line["loss"] is None or line["grad_norm"] is None for line in skipped)


def test_a_base_that_is_not_finite_is_told_before_a_sample_is_blamed(
    edit_base: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(edit_base, tmp_path / "base"))
    file = base / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["proj_out.weight"][3, 5] = math.inf
    save_file(tensors, file)
    with pytest.raises(RunFailed, match=f"{base}: weight 'proj_out.weight' is not finite; nothing was trained"):
        fit(load(tasks_config, FitConfig), tmp_path / "out", tasks_data, start=Start(init=base))
    assert not list((tmp_path / "out").glob("checkpoints/step-*"))
    assert QwenImage.load(edit_base)  # the one it was copied from is whole
