"""The figures of ``python -m model describe CONFIG``: parameters by part, FLOPs by case, memory on each GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import nn

from model.config import MMDiTConfig, ModelConfig
from model.flops import PEAK_FLOPS, TRAINING_FACTOR, forward_flops
from model.latents import tokens_of
from model.memory import Checkpointing, Setting
from model.memory_plan import plan_memory
from model.mmdit import MMDiT
from model.text_encoder import transformers_config
from model.vae import ImageVAE


@dataclass(frozen=True)
class _Case:
    """A sample as training meets it. ``width``, ``height`` in px of the target; ``text``: tokens after the template."""

    name: str
    task: Literal["t2i", "ti2i"]
    width: int
    height: int
    text: int
    references: int = 0  # each of 1024^2 px for the VAE

    @property
    def image(self) -> int:
        """Image tokens, the references' included."""
        return _tokens(self.width, self.height) + self.references * _tokens(1024, 1024)


# The report's resolutions; text lengths are chosen. A reference's vision tokens are part of the text: 1,369 in Edit,
# which shows the vision tower one picture of 1024^2, and 196 in EditPlus, which shows several of 384^2.
_CASES = (
    _Case("256p", "t2i", 256, 256, 128),
    _Case("640p", "t2i", 640, 640, 200),
    _Case("1024p", "t2i", 1024, 1024, 256),
    _Case("1328p", "t2i", 1328, 1328, 256),
    _Case("1664 x 928", "t2i", 1664, 928, 256),
    _Case("1024p, Edit", "ti2i", 1024, 1024, 1450, 1),
    _Case("1024p, EditPlus, 1 reference", "ti2i", 1024, 1024, 270, 1),
    _Case("1024p, EditPlus, 3 references", "ti2i", 1024, 1024, 270 + 2 * 196, 3),
)


def describe(config: ModelConfig, setting: Setting | None = None, samples: int = 1) -> dict[str, Any]:
    """The figures as plain data. Builds everything on the meta device.

    ``samples`` of a case make a micro-batch on each GPU of ``setting``. ``parameters``: numbers by part. ``flops``:
    for each case those of a sample's forward pass and training, and the training's seconds at an H100's peak.
    ``memory``: bytes on each GPU, part by part, for each case and each way of checkpointing.
    """
    setting = setting or Setting()
    with torch.device("meta"):
        transformer = MMDiT(config.transformer)
    encoders = {**_vae_parts(config), **_text_parts(config)}
    return {
        "parameters": {**_transformer_parts(transformer), **encoders},
        "flops": [_flops(config.transformer, case) for case in _CASES],
        "memory": {
            "setting": asdict(setting),
            "samples": samples,
            "cases": [_memory(transformer, config, case, setting, samples, encoders) for case in _CASES],
        },
    }


def encoder_bytes(config: ModelConfig) -> int:
    """Of the image VAE and the text encoder in the dtype of their files."""
    return _stored({**_vae_parts(config), **_text_parts(config)}, config)


def _stored(encoders: dict[str, int], config: ModelConfig) -> int:
    numbers = sum(count for name, count in encoders.items() if not name.startswith("  "))
    return numbers * getattr(torch, config.dtype).itemsize


def _flops(config: MMDiTConfig, case: _Case) -> dict[str, Any]:
    forward = forward_flops(config, case.image, case.text)
    training = TRAINING_FACTOR * forward
    return {
        **asdict(case),
        "image_tokens": case.image,
        "forward": forward,
        "training": training,
        "seconds_at_peak": training / PEAK_FLOPS,
    }


def _memory(
    model: MMDiT, config: ModelConfig, case: _Case, setting: Setting, samples: int, encoders: dict[str, int]
) -> dict[str, Any]:
    """Several samples count as unlike: their texts are."""
    figures: dict[str, Any] = {"name": case.name, "task": case.task}
    for way in get_args(Checkpointing):
        plan = plan_memory(
            model,
            config.transformer,
            replace(setting, checkpointing=way),
            samples * case.image,
            samples * case.text,
            alike=samples == 1,
            encoder_bytes=_stored(encoders, config),
        )
        figures[way] = {**asdict(plan), "state": plan.state, "peak": plan.peak, "fits": plan.fits()}
    return figures


def _transformer_parts(model: MMDiT) -> dict[str, int]:
    blocks = model.transformer_blocks
    first = _count(blocks[0], lambda n: True)
    return {
        "transformer": _count(model, lambda n: True),
        "  one block": first,
        "  modulation of all blocks": _count(blocks, lambda n: "_mod." in n),
        "  attention of all blocks": _count(blocks, lambda n: ".attn." in n),
        "  MLPs of all blocks": _count(blocks, lambda n: "_mlp." in n),
        "  input, time and output layers": _count(model, lambda n: not n.startswith("transformer_blocks.")),
        "  frozen: no effect after the last block": sum(p.numel() for p in model.parameters() if not p.requires_grad),
    }


def _vae_parts(config: ModelConfig) -> dict[str, int]:
    with torch.device("meta"):
        vae = ImageVAE(config.vae.shape)
    return {
        "VAE encoder (2-D image path)": _count(vae, lambda n: n.startswith(("encoder.", "quant_conv."))),
        "VAE decoder (2-D image path)": _count(vae, lambda n: n.startswith(("decoder.", "post_quant_conv."))),
    }


def _text_parts(config: ModelConfig) -> dict[str, int]:
    from transformers import Qwen2_5_VLForConditionalGeneration

    with torch.device("meta"):
        encoder = Qwen2_5_VLForConditionalGeneration(transformers_config(config.text_encoder))
    return {
        "text encoder (frozen)": _count(encoder, lambda n: True),
        "  language model": _count(encoder.model.language_model, lambda n: True),
        "  vision tower": _count(encoder.model.visual, lambda n: True),
    }


def _count(module: nn.Module, wanted: Callable[[str], bool]) -> int:
    return sum(p.numel() for name, p in module.named_parameters() if wanted(name))


def _tokens(width: int, height: int) -> int:
    h, w = tokens_of(height, width)
    return h * w
