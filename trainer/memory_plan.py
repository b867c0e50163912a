"""What a training needs of a GPU's memory, told before anything is loaded: ``fit --dry-run``."""

from __future__ import annotations

from typing import Literal

import torch

from model.config import MMDiTConfig
from model.memory import Checkpointing, Setting
from model.memory_plan import CARD_BYTES, MemoryPlan, format_plan, plan_memory
from model.mmdit import MMDiT
from trainer.config import FitConfig
from trainer.lora.memory import lora_memory
from trainer.optim.config import OptimizerConfig


def memory_setting(
    optimizer: OptimizerConfig,
    mode: Literal["auto", "single", "ddp", "fsdp"] = "auto",
    gpus: int = 1,
    tp: int = 1,
    checkpointing: Checkpointing = "none",
    products: Literal["fp32", "bf16"] = "bf16",
    encoders: bool = True,
) -> Setting:
    """The fields of a config that memory depends on. ``mode`` auto: single on one GPU, else fsdp.

    ``products``: dtype in which the network multiplies. ValueError for a combination that cannot be.
    """
    average: Literal["none", "device", "host"] = optimizer.ema_device if optimizer.ema else "none"
    return Setting(
        optimizer="muon" if optimizer.kind == "muon" else optimizer.plan,
        weights=optimizer.weights,
        in_backward=optimizer.in_backward,
        offload_blocks=optimizer.offload_blocks,
        average=average,
        products=products,
        mode=("single" if gpus == 1 else "fsdp") if mode == "auto" else mode,
        gpus=gpus,
        tp=tp,
        checkpointing=checkpointing,
        encoders=encoders,
    )


def training_memory(
    shape: MMDiTConfig, setting: Setting, image_tokens: int, text_tokens: int, alike: bool = False, encoders: int = 0
) -> MemoryPlan:
    """The plan for the largest micro-batch of a GPU, ``image_tokens`` with those of references.

    ``shape``: the network's. ``encoders``: bytes of VAE and text encoder.
    """
    with torch.device("meta"):
        model = MMDiT(shape)
    return plan_memory(model, shape, setting, image_tokens, text_tokens, alike, encoders)


def memory_lines(
    shape: MMDiTConfig,
    setting: Setting,
    image_tokens: int,
    text_tokens: int,
    encoders: int = 0,
    card: int = CARD_BYTES,
) -> list[str]:
    """For a terminal. ``card``: bytes of the GPU; ``torch.cuda.mem_get_info()[1]`` where there is one."""
    plan = training_memory(shape, setting, image_tokens, text_tokens, encoders=encoders)
    return [*format_plan(plan, setting, card), _batch(image_tokens, text_tokens)]


def fit_memory_lines(
    config: FitConfig, shape: MMDiTConfig, encoders: int, gpus: int, image_tokens: int, text_tokens: int
) -> list[str]:
    """What ``fit`` with ``config`` holds, as ``memory_lines``. ValueError for a combination that cannot be."""
    optimizer, parallel = config.optimizer, config.parallel
    if config.lora:
        plan = lora_memory(
            shape, config.lora, image_tokens, text_tokens, parallel.checkpointing, optimizer.offload_blocks
        )
        return [*plan.lines(encoders, CARD_BYTES), _batch(image_tokens, text_tokens)]
    whole = optimizer.kind == "muon" or optimizer.offload_blocks > 0
    mode = "ddp" if parallel.mode == "auto" and gpus > 1 and whole else parallel.mode
    products: Literal["fp32", "bf16"] = "bf16" if config.precision == "bf16" else "fp32"
    setting = memory_setting(optimizer, mode, gpus, parallel.tp, parallel.checkpointing, products)
    return memory_lines(shape, setting, image_tokens, text_tokens, encoders)


def _batch(image_tokens: int, text_tokens: int) -> str:
    return f"    largest micro-batch: {image_tokens:,} image and {text_tokens:,} text tokens at most"
