"""A tiny pipeline folder with weights that do something, made once for all tests of this folder."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

import configs
from model.checkpoint import load_transformer, save_like, write_index
from model.config import ModelConfig, Pipeline
from model.init import init_folder
from model.references import write_processor
from tests.tolerance import rounding

TINY = "configs/model/tiny.yaml"
SMALLER = (
    "vae.weights=null",
    "transformer.num_layers=2",
    "transformer.num_attention_heads=2",
    "transformer.joint_attention_dim=32",
    "text_encoder.hidden_size=32",
    "text_encoder.intermediate_size=64",
    "text_encoder.num_attention_heads=2",
    "text_encoder.num_key_value_heads=1",
    "text_encoder.mrope_section=[2, 3, 3]",
    "vae.shape.base_dim=8",
)


def picture_error(steps: int, cfg: float = 4.0) -> float:
    """What rounding may change in a sampled picture in 0..1.

    22 products of 256 terms at most in a step, which guidance enlarges, and thirty in the VAE; half the range is 1.
    """
    return rounding(256, max(1.0, cfg) / 2, layers=22 * steps + 30)


def condition_error(condition: Tensor) -> float:
    """The same in a condition: the two layers of text and two of vision are 28 products of 64 terms at most."""
    return rounding(64, float(condition.abs().max()), layers=28)


def config() -> ModelConfig:
    return configs.load(TINY, ModelConfig, SMALLER)


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="glyphmill-model-")  # removed when the test run ends


@cache
def fresh_folder() -> Path:
    """As ``python -m model init`` leaves it: modulation and output are zero."""
    folder = Path(_scratch().name) / "fresh"
    init_folder(config(), folder, seed=0)
    return folder


@cache
def random_folder() -> Path:
    """The same with every transformer weight moved off its start, so that pictures depend on the prompt."""
    folder = Path(_scratch().name) / "random"
    model = load_transformer(fresh_folder())
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    save_like(fresh_folder(), folder, model.state_dict(), model.config)
    return folder


def edit_folder(pipeline: Pipeline = "QwenImageEditPlusPipeline") -> Path:
    """``random_folder`` for an edit pipeline."""
    return _edit_folder(pipeline)


@cache
def _edit_folder(pipeline: Pipeline) -> Path:
    folder = Path(_scratch().name) / pipeline
    if folder.exists():
        return folder
    shutil.copytree(random_folder(), folder)
    write_processor(folder / "processor", folder / "tokenizer", config().text_encoder.vision)
    write_index(folder, pipeline)
    return folder
