"""A tiny pipeline folder with weights that do something, made once for all tests of this folder."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch

import configs
from model.checkpoint import load_transformer, save_like, write_index
from model.config import ModelConfig, Pipeline
from model.init import init_folder
from model.references import write_processor

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


@cache
def edit_folder(pipeline: Pipeline = "QwenImageEditPlusPipeline") -> Path:
    """``random_folder`` for an edit pipeline."""
    folder = Path(_scratch().name) / pipeline
    shutil.copytree(random_folder(), folder)
    write_processor(folder / "processor", folder / "tokenizer", config().text_encoder.vision)
    write_index(folder, pipeline)
    return folder
