"""Training on a CPU without kernels for bfloat16: nothing is multiplied in it, and one line says so."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch

import configs
from model import QwenImage, precision
from tests.products import NoBfloat16
from tests.trainer.trainers import open_trainer
from trainer.config import FitConfig
from trainer.evaluate.drawing.draw import without_training
from trainer.loop import Trainer
from trainer.vae.config import VAETrainConfig
from trainer.vae.train import train_vae

FIT = """
model: FOLDER
phases:
- {name: characters, steps: 3, resolutions: [64], where: recipe == 'glyphs' and text_level == 1, tokens: 64}
optimizer: {kind: muon}
samples: {prompts: ['"A"'], every: 100, size: [32, 32], steps: 2, cfg: 2.0}
precision: bf16
device: cpu
threads: 1
"""


def trainer_of(narrow: Path, run: Path, out: Path) -> Trainer:
    out.mkdir()
    (out / "fit.yaml").write_text(FIT.replace("FOLDER", str(narrow)))
    config = configs.load(out / "fit.yaml", FitConfig)
    return open_trainer(config, out, run / "dataset")


def test_steps_with_muon_samples_and_encoders_run_in_float32(
    poor: None,
    narrow: Path,
    small_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with NoBfloat16() as watch:
        trainer = trainer_of(narrow, small_run, tmp_path / "out")
        producer = trainer.loader.producer
        here = producer.preparers.of(trainer.dataset)
        monkeypatch.setattr(producer, "submit", lambda ask, _: functools.partial(here.prepare, ask))  # a watched thread
        for step in range(2):
            trainer.step(trainer.loader.prepare(step))
        trainer._sample()
    assert watch.saw("mm", "baddbmm", "conv", "scaled_dot_product", "backward")
    told = [line for line in capsys.readouterr().out.splitlines() if "no bf16 kernels" in line]
    assert len(told) == 3
    assert told[0].startswith("precision: bf16 is asked for and fp32 is used, because")
    assert all("GB instead of" in line for line in told[1:])  # both encoders of this folder are stored in bfloat16


def test_with_kernels_the_step_multiplies_in_bfloat16(
    narrow: Path, small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precision, "cpu_multiplies_bf16", lambda: True)
    trainer = trainer_of(narrow, small_run, tmp_path / "out")
    prepared = trainer.loader.prepare(0)
    with NoBfloat16(), pytest.raises(AssertionError, match="of bfloat16 on the CPU"):
        trainer.step(prepared)
    assert "no bf16 kernels" not in capsys.readouterr().out


def test_evaluation_samples_a_bf16_model_in_float32(poor: None, narrow: Path) -> None:
    with NoBfloat16() as watch:
        trained = QwenImage.load(narrow)
        for model in (trained, without_training(trained)):
            model.sample('"7"', 32, 32, steps=2, cfg=3.0)
    assert watch.saw("mm", "conv", "scaled_dot_product")


def test_the_vae_trains_in_float32(poor: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ["stages=[{steps: 2, size: 32, batch: 2}]", "pool.glyphs=20", "pool.photographs=0", "shape.base_dim=8"]
    config = configs.load("configs/train/vae.yaml", VAETrainConfig, overrides)
    assert config.precision == "bf16"
    with NoBfloat16() as watch:
        train_vae(config, tmp_path)
    assert watch.saw("baddbmm", "convolution", "convolution_backward")
    assert capsys.readouterr().out.count("fp32 is used, because this CPU has no bf16 kernels") == 1


def test_muon_multiplies_in_what_the_device_is_fast_in(poor: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer.optim.muon import orthogonalize

    with NoBfloat16() as watch:
        assert orthogonalize(torch.randn(2, 8, 8).bfloat16()).dtype == torch.bfloat16  # stored, not multiplied
        orthogonalize(torch.randn(8, 32))
    assert watch.saw("mm")
    monkeypatch.setattr(precision, "cpu_multiplies_bf16", lambda: True)
    with NoBfloat16(), pytest.raises(AssertionError, match="bmm of bfloat16"):
        orthogonalize(torch.randn(2, 8, 8))
