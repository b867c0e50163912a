"""Training on a real dataset: learns, resumes to the same losses after a kill, exports a model that loads."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from configs import RunFailed, UserError, load
from model import QwenImage
from pipeline.store.lock import RunLock
from tests import forked
from tests.model.reference import difference, gradient_error
from tests.trainer.trainers import open_trainer
from tests.waiting import wait_until
from trainer.config import FitConfig
from trainer.fit import fit
from trainer.loss import draw_sigma, micro_batch, sample_losses
from trainer.order.split import split
from trainer.rng import KeyedRandom

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
    assert [p.name for p in sorted((trained / "checkpoints").iterdir())] == ["step-16", "step-24"]
    assert (trained / "samples.png").stat().st_size > 0
    picture = QwenImage.load(trained / "export").sample('"A"', height=64, width=64, steps=2)[0]
    assert picture.size == (64, 64)


def test_killed_between_checkpoints_and_resumed_the_losses_are_the_same(
    config: Path, trained: Path, small_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["trainer", "fit", str(config), str(out), "--data", str(small_run / "dataset")]
    process = forked.Command(arguments, stdout=subprocess.DEVNULL)
    metrics = out / "metrics.jsonl"
    wait_until(lambda: metrics.exists() and len(metrics.read_text().splitlines()) >= 11, process.poll)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(metrics.read_text().splitlines())
    assert 11 <= done < 24
    metrics.write_text(metrics.read_text() + '{"step": 99, "torn')  # as a kill in the middle of a line leaves it
    forked.run(arguments, check=True)
    assert losses(out) == losses(trained)
    weights = "export/transformer/diffusion_pytorch_model.safetensors"
    assert (out / weights).read_bytes() == (trained / weights).read_bytes()


def test_any_cut_into_ranks_and_micro_batches_gives_the_same_loss_and_gradients(
    config: Path, small_run: Path, trained: Path
) -> None:
    settings = load(config, FitConfig)
    trainer = open_trainer(settings, trained, small_run / "dataset")
    prepared = trainer.loader.prepare(10)
    rng = KeyedRandom(settings.seed, 10, len(prepared.samples))
    sigma = draw_sigma(rng, prepared.batch.target_tokens, settings.objective, trainer.schedule)
    sizes = [len(s.text) + sum(map(len, s.images)) for _, s in sorted(prepared.samples.items())]
    results = []
    for ranks, budget in ((1, None), (1, 80), (2, 100), (3, None), (40, None)):  # 40 ranks: most run dummies
        trainer.model.zero_grad()
        loss = 0.0
        for slots in (part.tolist() for rank in split(sizes, sizes, ranks, budget) for part in rank):
            samples = [prepared.samples[slot] for slot in slots]
            micro = micro_batch(samples, slots, sigma, rng, trainer.world.device) if slots else trainer.dummy()
            part = sample_losses(trainer.model, micro, None).sum() * (1 / len(sizes) if slots else 0.0)
            part.backward()
            loss += part.item()
        gradients = torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])
        results.append((loss, gradients))
    error = gradient_error(trainer.model.config)
    for loss, gradients in results[1:]:
        assert loss == pytest.approx(results[0][0], rel=error)
        assert difference(gradients, results[0][1]) < error


def test_a_batch_is_prepared_the_same_whenever_it_is_asked_for(config: Path, small_run: Path, trained: Path) -> None:
    loader = open_trainer(load(config, FitConfig), trained, small_run / "dataset").loader
    first = loader.prepare(9)
    for step in (3, 15, 8):
        loader.prepare(step)
    again = loader.prepare(9)
    assert np.array_equal(first.batch.rows, again.batch.rows)
    assert first.slots == again.slots
    for slot, one in first.samples.items():
        for ours, theirs in zip(
            (one.text, *one.images), (again.samples[slot].text, *again.samples[slot].images), strict=True
        ):
            assert torch.equal(ours, theirs)


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


@pytest.mark.parametrize(
    ("name", "how"), [(".metadata", "cut"), ("__0_0.distcp", "cut"), ("complete", "cut"), ("__0_0.distcp", "flipped")]
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(
    config: Path,
    small_run: Path,
    trained: Path,
    tmp_path: Path,
    name: str,
    how: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = stopped_before_its_end(trained, tmp_path)
    path = out / "checkpoints" / "step-24" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # in a weight: nothing but its checksum tells
    path.write_bytes(content if how == "flipped" else content[: len(content) // 2])
    fit(load(config, FitConfig), out, small_run / "dataset")
    told = capsys.readouterr().out
    assert "step-24: " in told
    assert "going back to the checkpoint before" in told
    assert losses(out) == losses(trained)


def test_with_no_checkpoint_that_can_be_read_it_ends_in_one_line(
    config: Path, small_run: Path, trained: Path, tmp_path: Path
) -> None:
    out = stopped_before_its_end(trained, tmp_path)
    for folder in (out / "checkpoints").glob("step-*"):
        (folder / "__0_0.distcp").unlink()
    with pytest.raises(RunFailed, match="none of 2 checkpoints can be read; restore one") as caught:
        fit(load(config, FitConfig), out, small_run / "dataset")
    assert "\n" not in str(caught.value)


def stopped_before_its_end(trained: Path, folder: Path) -> Path:
    """A copy of a training that lacks what the end writes."""
    out = Path(shutil.copytree(trained, folder / "out"))
    (out / "phases.json").unlink()
    return out


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
    told = forked.run(command, check=True).stdout
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
    ended = forked.run(command)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "unknown field 'phases.0.stps'; did you mean steps?" in ended.stderr
