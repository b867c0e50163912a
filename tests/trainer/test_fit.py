"""Training on a real dataset: learns, resumes to the same losses after a kill, exports a model that loads."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from configs import UserError, load
from model import QwenImage
from pipeline.dataset import Dataset
from pipeline.store.lock import RunLock
from tests.model.reference import difference, gradient_error
from trainer import Order
from trainer.config import FitConfig
from trainer.fit import Trainer, fit
from trainer.loss import loss_of, micro_batch
from trainer.order.index import read_index
from trainer.order.split import split

TINY = """
model: MODEL
phases:
- {name: pictures, steps: 6, resolutions: [64], where: recipe is null, tokens: 128}
- name: characters
  steps: 18
  resolutions: [64]
  where: recipe == 'glyphs' and text_level == 1
  tokens: 256
optimizer: {lr: 1.0e-3, betas: [0.9, 0.98], warmup: 5, ema: 0.9, schedule: constant}
checkpoint: {every: 8, keep: 2}
samples: {prompts: ['"A"'], every: 100, size: [64, 64], steps: 2, cfg: 2.0}
device: cpu
threads: 1
"""
MODEL = """
transformer: {num_layers: 2, num_attention_heads: 4, attention_head_dim: 16, joint_attention_dim: 128, axes_dims_rope: [4, 6, 6]}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a smaller transformer, so that a step takes no time."""
    folder = tmp_path_factory.mktemp("fit")
    tiny = Path("configs/model/tiny.yaml").read_text()
    start, end = tiny.index("transformer:"), tiny.index("vae:")
    (folder / "model.yaml").write_text(tiny[:start] + MODEL.strip() + "\n" + tiny[end:])
    (folder / "fit.yaml").write_text(TINY.replace("MODEL", str(folder / "model.yaml")))
    return folder / "fit.yaml"


@pytest.fixture(scope="module")
def trained(config: Path, small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "out"
    fit(load(config, FitConfig), out, small_run / "dataset")
    return out


def losses(out: Path) -> list[tuple[int, str, float]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["phase"], line["loss"]) for line in lines]


def test_a_training_leaves_what_was_promised(trained: Path) -> None:
    told = losses(trained)
    assert [step for step, _, _ in told] == list(range(24))
    assert [phase for _, phase, _ in told] == ["pictures"] * 6 + ["characters"] * 18
    phases = json.loads((trained / "phases.json").read_text())
    assert [p["phase"] for p in phases] == ["pictures", "characters"]
    assert told[-1][2] < told[6][2]
    assert [p.name for p in sorted((trained / "checkpoints").iterdir())] == ["step-000016", "step-000024"]
    assert (trained / "samples.png").stat().st_size > 0
    picture = QwenImage.load(trained / "export").sample('"A"', height=64, width=64, steps=2)[0]
    assert picture.size == (64, 64)


def test_killed_between_checkpoints_and_resumed_the_losses_are_the_same(
    config: Path, trained: Path, small_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["trainer", "fit", str(config), str(out), "--data", str(small_run / "dataset")]
    process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL)
    metrics = out / "metrics.jsonl"
    deadline = time.monotonic() + 200
    while not metrics.exists() or len(metrics.read_text().splitlines()) < 11:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(metrics.read_text().splitlines())
    assert 11 <= done < 24
    metrics.write_text(metrics.read_text() + '{"step": 99, "torn')  # as a kill in the middle of a line leaves it
    subprocess.run([sys.executable, "-m", *arguments], check=True, timeout=240, stdout=subprocess.DEVNULL)
    assert losses(out) == losses(trained)
    for name in ("model", "ema"):
        ours, theirs = ((o / "checkpoints/step-000024" / f"{name}.safetensors").read_bytes() for o in (out, trained))
        assert ours == theirs


def test_any_cut_into_ranks_and_micro_batches_gives_the_same_loss_and_gradients(
    config: Path, small_run: Path, trained: Path, tmp_path: Path
) -> None:
    settings = load(config, FitConfig)
    dataset = Dataset.open(small_run / "dataset")
    order = Order(read_index(dataset, settings.phases), settings.phases, settings.seed)
    trainer = Trainer(settings, trained, dataset, order)
    prepared = trainer.loader.prepare(10)
    sizes = [len(x) + len(t) for x, t in zip(prepared.latents, prepared.texts, strict=True)]
    results = []
    for ranks, budget in ((1, None), (1, 80), (2, 100), (3, None), (40, None)):  # 40 ranks: most run dummies
        trainer.model.zero_grad()
        loss = 0.0
        for rank in split(sizes, [float(s) for s in sizes], ranks, budget):
            for slots in rank:
                micro = micro_batch(
                    prepared, slots, settings.seed, settings.objective, trainer.schedule, trainer.device
                )
                part = loss_of(trainer.model, micro, None)
                part.backward()
                loss += part.item()
        gradients = torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])
        results.append((loss, gradients))
    error = gradient_error(trainer.model.config)
    for loss, gradients in results[1:]:
        assert loss == pytest.approx(results[0][0], rel=error)
        assert difference(gradients, results[0][1]) < error


def test_a_batch_is_prepared_the_same_whenever_it_is_asked_for(config: Path, small_run: Path, trained: Path) -> None:
    settings = load(config, FitConfig)
    dataset = Dataset.open(small_run / "dataset")
    order = Order.load(config, dataset)
    loader = Trainer(settings, trained, dataset, order).loader
    first = loader.prepare(9)
    for step in (3, 15, 8):
        loader.prepare(step)
    again = loader.prepare(9)
    assert np.array_equal(first.batch.rows, again.batch.rows)
    for one, other in zip(first.latents + first.texts, again.latents + again.texts, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("phases.0.where=width > 9999", "phase pictures: its predicate"),
        ("model=nowhere.yaml", "nowhere.yaml"),
        ("model=nowhere", "field 'model': expected a YAML under configs/model or a diffusers folder"),
        ("phases.0.steps=0", "phase pictures: field 'steps'"),
        ("optimizer.lr=-1", "field 'lr': must be above 0"),
        ("optimizer.warmup=-1", "field 'warmup': must be at least 0"),
        ("device=cuda", "field 'device': found 'cuda'"),
    ],
)
def test_wrong_configs_are_named_and_leave_nothing(
    config: Path, small_run: Path, tmp_path: Path, change: str, message: str
) -> None:
    if change == "device=cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UserError, match=message):
        fit(load(config, FitConfig, [change]), tmp_path / "out", small_run / "dataset")
    assert not (tmp_path / "out").exists()


def test_one_process_at_a_time_trains_into_a_folder(config: Path, small_run: Path, tmp_path: Path) -> None:
    with (
        RunLock(tmp_path / "out" / "lock"),
        pytest.raises(UserError, match=r"out is in use by process \d+ .*--wait"),
    ):
        fit(load(config, FitConfig), tmp_path / "out", small_run / "dataset")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["lock"]


def test_a_file_is_no_output_folder(config: Path, small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(UserError, match="a folder is expected, found a file"):
        fit(load(config, FitConfig), tmp_path / "out", small_run / "dataset")


@pytest.mark.parametrize("name", ["optimizer.pt", "model.safetensors", "ema.safetensors", "step.json"])
def test_a_damaged_checkpoint_is_named(config: Path, small_run: Path, trained: Path, tmp_path: Path, name: str) -> None:
    out = Path(shutil.copytree(trained, tmp_path / "out"))
    (out / "phases.json").unlink()  # as if it had been stopped before its end
    path = out / "checkpoints" / "step-000024" / name
    path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(UserError, match="step-000024") as caught:
        fit(load(config, FitConfig), out, small_run / "dataset")
    assert "\n" not in str(caught.value)


def test_another_config_does_not_go_on_in_the_same_folder(config: Path, small_run: Path, trained: Path) -> None:
    with pytest.raises(UserError, match="was started with another 'seed'"):
        fit(load(config, FitConfig, ["seed=5"]), trained, small_run / "dataset")


def test_a_training_that_wrote_the_old_name_of_a_field_is_the_same_training(
    config: Path, small_run: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(trained, out)
    written = (out / "config.yaml").read_text()
    (out / "config.yaml").write_text(written.replace("max_micro_batch_tokens:", "micro_tokens:"))
    assert "\nmicro_tokens:" in (out / "config.yaml").read_text()
    fit(load(config, FitConfig), out, small_run / "dataset")
    assert "trained already" in capsys.readouterr().out
    with pytest.raises(UserError, match="field 'micro_tokens' is called 'max_micro_batch_tokens' now"):
        load(config, FitConfig, ["micro_tokens=512"])


def test_dry_run_tells_what_would_be_trained_on(config: Path, small_run: Path, tmp_path: Path) -> None:
    command = ["trainer", "fit", str(config), str(tmp_path / "out"), "--data", str(small_run / "dataset"), "--dry-run"]
    told = subprocess.run([sys.executable, "-m", *command], check=True, text=True, capture_output=True).stdout
    assert "characters: 18 steps at 64 px, where recipe == 'glyphs' and text_level == 1" in told
    assert "read amplification" in told
    assert not (tmp_path / "out").exists()


def test_a_wrong_config_ends_in_one_line_and_status_2(config: Path, small_run: Path, tmp_path: Path) -> None:
    command = [
        "trainer",
        "fit",
        str(config),
        str(tmp_path / "out"),
        "--data",
        str(small_run),
        "--set",
        "phases.0.stps=1",
    ]
    ended = subprocess.run([sys.executable, "-m", *command], check=False, text=True, capture_output=True)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "unknown field 'phases.0.stps'; did you mean steps?" in ended.stderr
