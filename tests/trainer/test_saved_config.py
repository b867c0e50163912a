"""What a resumed training may change, and what not; and how it goes on in another folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from configs import UserError, load
from model.export import export
from tests.trainer.trainers import open_trainer
from trainer.config import FitConfig
from trainer.fit import fit
from trainer.start import Start


@pytest.fixture(scope="module")
def half(tasks_config: Path, tasks_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of 10 steps that has come to its end. Read only."""
    out = tmp_path_factory.mktemp("half") / "out"
    fit(load(tasks_config, FitConfig, SHORT), out, tasks_data)
    return out


SHORT = ["phases.0.steps=10", "optimizer.schedule=constant"]


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_more_steps_at_the_end_go_on_from_the_end(
    half: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(half, tmp_path / "out"))
    more = [
        *("phases.0.steps=14", "optimizer.schedule=constant", "loading.cache_megabytes=1", "checkpoint.keep=1"),
        *("optimizer.ema_device=host", "optimizer.offload_blocks=1"),
        *("threads=2", "max_micro_batch_tokens=500", "samples={prompts: [cat], size: [32, 32], steps: 1, every: 100}"),
    ]
    fit(load(tasks_config, FitConfig, more), out, tasks_data)
    assert len(losses(out)) == 14
    assert losses(out)[:10] == losses(half)
    whole = tmp_path / "whole"
    fit(load(tasks_config, FitConfig, ["phases.0.steps=14", "optimizer.schedule=constant"]), whole, tasks_data)
    assert losses(out) == pytest.approx(losses(whole), rel=1e-5)
    assert yaml.safe_load((out / "config.yaml").read_text())["phases"][0]["steps"] == 14


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("seed=5", "seed"),
        ("optimizer.lr=1.0e-5", "optimizer.lr"),
        ("optimizer.plan=adafactor", "optimizer.plan"),
        ("objective.dropout=0.5", "objective.dropout"),
        ("precision=fp64", "precision"),
        ("max_text_tokens=99", "max_text_tokens"),
        ("phases.0.tokens=300", "phases.0.tokens"),
        ("phases.0.steps=9", "phases.0.steps"),
    ],
)
def test_what_changes_the_numbers_is_refused_by_name(
    half: Path, tasks_config: Path, tasks_data: Path, change: str, named: str
) -> None:
    with pytest.raises(UserError, match=f"was started with another '{named}'"):
        fit(load(tasks_config, FitConfig, [*SHORT, change]), half, tasks_data)


@pytest.mark.parametrize("content", ["", "- a list\n", "phases: [\n", "just text\n"])
def test_a_damaged_config_is_one_line(
    half: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path, content: str
) -> None:
    out = Path(shutil.copytree(half, tmp_path / "out"))
    (out / "config.yaml").write_text(content)
    with pytest.raises(UserError, match=r"config\.yaml") as caught:
        fit(load(tasks_config, FitConfig, SHORT), out, tasks_data)
    assert "\n" not in str(caught.value)


def test_from_takes_weights_averages_and_optimizer_into_a_new_folder(
    half: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    newest = half / "checkpoints" / "step-10"
    config = load(tasks_config, FitConfig, ["phases.0.steps=3", "seed=9"])
    trainer = open_trainer(config, tmp_path / "probe", tasks_data, Start(checkpoint=newest))
    ended = open_trainer(load(tasks_config, FitConfig, SHORT), half, tasks_data)
    assert trainer.done == 0
    assert ended.done == 10
    for ours, theirs in zip(trainer.model.parameters(), ended.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    for name, mean in trainer.average.weights.items():
        assert torch.equal(mean, ended.average.weights[name])
    ours, theirs = (
        [state["exp_avg"] for part in t.optimizer.parts for state in part.state.values()] for t in (trainer, ended)
    )
    assert len(ours) > 10
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    fit(config, tmp_path / "out", tasks_data, start=Start(checkpoint=half))
    assert len(losses(tmp_path / "out")) == 3
    more = load(tasks_config, FitConfig, ["phases.0.steps=5", "seed=9"])
    fit(more, tmp_path / "out", tasks_data)  # goes on with its own checkpoint: that other one may be gone by now
    assert len(losses(tmp_path / "out")) == 5


def test_init_stands_in_for_the_model(edit_base: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path) -> None:
    text = tasks_config.read_text().replace(f"model: {edit_base}\n", "")
    (tmp_path / "fit.yaml").write_text(text)
    config = load(tmp_path / "fit.yaml", FitConfig, ["phases.0.steps=2"])
    with pytest.raises(UserError, match=r"field 'model': names no weights; give --init FOLDER .*--from CHECKPOINT"):
        fit(config, tmp_path / "out", tasks_data)
    fit(config, tmp_path / "out", tasks_data, start=Start(init=edit_base))
    assert yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())["model"] == str(edit_base)


def test_an_export_has_the_dtype_of_the_base_or_the_one_asked_for(half: Path, edit_base: Path, tmp_path: Path) -> None:
    from model.files import weight_dtypes

    export(half, tmp_path / "as-base")
    export(half, tmp_path / "narrow", torch.bfloat16)
    assert set(weight_dtypes(tmp_path / "as-base" / "transformer").values()) == {torch.float32}
    assert set(weight_dtypes(tmp_path / "narrow" / "transformer").values()) == {torch.bfloat16}
