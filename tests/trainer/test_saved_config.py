"""What a resumed training may change, and what not; and how it goes on in another folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from configs import UserError, load
from model.complete import mark_complete
from model.export import export
from tests.trainer.trainers import open_trainer
from trainer.config import FitConfig
from trainer.fit import fit
from trainer.optim.config import OptimizerConfig
from trainer.optim.optimizer import make_optimizer
from trainer.start import Start
from trainer.state.fitting import plan_of


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
        ("producers.storage=bf16", "producers.storage"),
        ("model=configs/model/tiny.yaml", "model"),
    ],
)
def test_what_changes_the_numbers_is_refused_by_name(
    half: Path, tasks_config: Path, tasks_data: Path, change: str, named: str
) -> None:
    with pytest.raises(UserError, match=f"was started with another '{named}'"):
        fit(load(tasks_config, FitConfig, [*SHORT, change]), half, tasks_data)


@pytest.mark.parametrize("content", ["", "- a list\n", "phases: [\n", "just text\n", None])
def test_a_damaged_config_is_one_line(
    half: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path, content: str | None
) -> None:
    out = Path(shutil.copytree(half, tmp_path / "out"))
    if content is None:
        (out / "config.yaml").unlink()
    else:
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


def test_averages_that_are_taken_over_go_on_as_slowly_as_they_were(
    half: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    """Those of a first step would be thrown away: the decay of a start is 0.1. They know it after a resume, too."""
    still = ["phases.0.steps=4", "optimizer.lr=1.0e-20", "optimizer.ema=0.999", "checkpoint.every=2"]
    out = tmp_path / "out"
    fit(load(tasks_config, FitConfig, still), out, tasks_data, start=Start(checkpoint=half))
    before = open_trainer(load(tasks_config, FitConfig, SHORT), half, tasks_data)
    after = open_trainer(load(tasks_config, FitConfig, still), out, tasks_data)
    assert (before.average.before, after.average.before) == (0, 10)
    weights = dict(before.model.named_parameters())

    def distance(averages: dict[str, torch.Tensor]) -> float:
        return sum(float((mean - weights[name]).detach().abs().sum()) for name, mean in averages.items())

    decays = np.prod([(1 + step) / (10 + step) for step in range(10, 14)])
    assert distance(after.average.weights) == pytest.approx(decays * distance(before.average.weights), rel=1e-3)
    shutil.rmtree(out / "checkpoints" / "step-4")
    fit(load(tasks_config, FitConfig, still), out, tasks_data)
    again = open_trainer(load(tasks_config, FitConfig, still), out, tasks_data)
    assert all(torch.equal(mean, after.average.weights[name]) for name, mean in again.average.weights.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["lora={rank: 2, base_dtype: fp32}"], "'lora': the checkpoint has whole weights, this config adapters"),
        (["optimizer.ema=0"], "'optimizer.ema': the checkpoint has averages, this config none"),
        (["optimizer.plan=adafactor"], "'optimizer.plan': the checkpoint has adamw's state, this config adafactor's"),
        (["optimizer.plan=adamw8bit"], "'optimizer.plan': the checkpoint has adamw's state, this config adamw8bit's"),
        (["optimizer.kind=muon"], "'optimizer.kind': the checkpoint has adamw's state, this config muon's"),
    ],
)
def test_a_checkpoint_that_the_config_cannot_go_on_from_is_refused_before_anything_is_written(
    half: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path, changes: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=f"--from .*field {message}; put the field back, or take its weights alone"):
        fit(load(tasks_config, FitConfig, changes), tmp_path / "out", tasks_data, start=Start(checkpoint=half))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("plan", ["adafactor", "adamw8bit", "muon"])
def test_states_are_known_by_their_optimizer(plan: str) -> None:
    """Of each, on a matrix of a block, another one and a vector."""
    kind = {"kind": "muon"} if plan == "muon" else {"plan": plan}
    model = torch.nn.ModuleDict({"transformer_blocks": torch.nn.ModuleList([torch.nn.Linear(256, 256)])})
    model["proj_out"] = torch.nn.Linear(256, 128)
    optimizer = make_optimizer(model, OptimizerConfig(**kind))  # type: ignore[arg-type]
    sum(parameter.sum() for parameter in model.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step()
    names = {f"optimizer.state.x.{n}" for part in optimizer.parts for state in part.state.values() for n in state}
    assert plan_of(names) == plan


def test_an_old_export_is_not_taken_for_the_end_of_a_training_that_went_on(
    half: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(half, tmp_path / "out"))
    weights = out / "export" / "transformer" / "diffusion_pytorch_model.safetensors"
    before = weights.read_bytes()

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.fit.export", kill)  # at the end of all steps, before the export
        with pytest.raises(Killed):
            fit(load(tasks_config, FitConfig, [*SHORT, "phases.0.steps=12"]), out, tasks_data)
    fit(load(tasks_config, FitConfig, [*SHORT, "phases.0.steps=12"]), out, tasks_data)
    assert json.loads((out / "phases.json").read_text())[0]["steps"] == 12
    assert weights.read_bytes() != before


@pytest.mark.parametrize("damage", ["gone", "empty", "elsewhere"])
def test_where_the_newest_checkpoint_names_no_base_the_one_before_does(
    half: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    out = Path(shutil.copytree(half, tmp_path / "out"))
    for folder in out.glob("checkpoints/step-*"):  # relative to where it was
        about = folder / "base.json"
        base = (half / "checkpoints" / folder.name / json.loads(about.read_text())["base"]).resolve()
        text = about.read_text()
        about.write_text(text.replace(json.loads(text)["base"], os.path.relpath(base, folder)))
        (folder / "complete").unlink()
        mark_complete(folder, int(folder.name.removeprefix("step-")))
    about = out / "checkpoints" / "step-10" / "base.json"
    match damage:
        case "gone":
            about.unlink()
        case "empty":
            about.write_text("")
        case _:
            about.write_text('{"base": "nowhere"}')
    (out / "phases.json").unlink()
    fit(load(tasks_config, FitConfig, SHORT), out, tasks_data)
    assert "step-10: base.json" in capsys.readouterr().out
    assert losses(out) == losses(half)


def test_the_same_base_by_another_path_is_the_same_and_other_files_in_its_place_are_not(
    edit_base: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = Path(shutil.copytree(edit_base, tmp_path / "base"))
    text = tasks_config.read_text().replace(f"model: {edit_base}\n", "")
    (tmp_path / "fit.yaml").write_text(text)
    out = tmp_path / "out"

    def train(steps: int, init: Path | None) -> None:
        sets = [f"phases.0.steps={steps}", "optimizer.schedule=constant"]
        fit(load(tmp_path / "fit.yaml", FitConfig, sets), out, tasks_data, start=Start(init=init))

    train(1, base)
    monkeypatch.chdir(tmp_path)
    train(2, Path("base"))
    train(3, None)
    train(4, base)  # what was left out in between is not forgotten
    train(5, edit_base)
    assert len(losses(out)) == 5
    weights = base / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["proj_out.weight"] += 1
    save_file(tensors, weights)
    with pytest.raises(UserError, match="the files of the pipeline folder that it began with are others now"):
        train(6, base)


@pytest.mark.parametrize("moved", ["out", "base", "both"])
def test_a_training_goes_on_wherever_it_and_its_base_lie_now(
    half: Path, edit_base: Path, tasks_config: Path, tasks_data: Path, tmp_path: Path, moved: str
) -> None:
    """``model`` in the config is what the user would change; another model there is told by its fingerprint."""
    out = Path(shutil.copytree(half, tmp_path / "deep" / "er" / "out"))
    base = edit_base
    if moved != "out":
        base = Path(shutil.copytree(edit_base, tmp_path / "base"))
        for about in out.glob("checkpoints/*/base.json"):
            gone = json.loads(about.read_text()) | {"base": "../../../gone", "base_absolute": "/gone"}
            if moved == "both":
                del gone["base_absolute"]
            about.write_text(json.dumps(gone))
            (about.parent / "complete").unlink()
            mark_complete(about.parent, int(about.parent.name.removeprefix("step-")))
        with pytest.raises(
            UserError, match="which does not exist; put it back, or, for a training that goes on, name it"
        ):
            export(out, tmp_path / "export")
    config = load(tasks_config, FitConfig, ["phases.0.steps=11", "optimizer.schedule=constant"])
    fit(config, out, tasks_data, start=Start(init=None if moved == "out" else base))
    assert losses(out)[:10] == losses(half)
    assert len(losses(out)) == 11
    export(out, tmp_path / "export")


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
