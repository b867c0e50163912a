"""``python -m model describe CONFIG``: parameters by part, FLOPs by resolution, bytes of a training state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from model.config import ModelConfig
from model.flops import PEAK_FLOPS, TRAINING_FACTOR, adamw_memory, forward_flops
from model.latents import tokens_of
from model.mmdit import MMDiT
from model.text_encoder import transformers_config
from model.vae import ImageVAE

Row = tuple[str, str, str]

# (name, width, height, text tokens, reference images): the report's stages and a square of 1024.
CASES = (
    ("256p + 128 text", 256, 256, 128, 0),
    ("640p + 200 text", 640, 640, 200, 0),
    ("1024p + 256 text", 1024, 1024, 256, 0),
    ("1328p + 256 text", 1328, 1328, 256, 0),
    ("edit 1024p, 1 reference", 1024, 1024, 1450, 1),
)


def describe(config: ModelConfig) -> dict[str, Any]:
    """The figures as plain data: ``parameters``, ``forward_flops``, ``memory``. Builds everything on the meta device."""
    with torch.device("meta"):
        transformer = MMDiT(config.transformer)
    return {
        "parameters": {**_transformer_parts(transformer), **_vae_parts(config), **_text_parts(config)},
        "forward_flops": {
            name: forward_flops(config.transformer, _tokens(w, h) * (1 + references), n_text)
            for name, w, h, n_text, references in CASES
        },
        "memory": {name: vars(adamw_memory(transformer, width)) for name, width in (("bfloat16", 2), ("float32", 4))},
    }


def rows(figures: dict[str, Any]) -> dict[str, list[Row]]:
    """The figures as tables of text, by title."""
    parameters = figures["parameters"]
    flops = figures["forward_flops"]
    memory = [
        (f"{name} weights {_gib(m['weights'])}", f"gradients {_gib(m['gradients'])}", f"AdamW {_gib(m['optimizer'])}")
        for name, m in figures["memory"].items()
    ]
    return {
        "parameters": [(name, f"{count:,}", "") for name, count in parameters.items()],
        "TFLOP per sample: forward, training": [
            (name, _tera(f), f"{_tera(TRAINING_FACTOR * f)}, at an H100's peak {_milliseconds(TRAINING_FACTOR * f)}")
            for name, f in flops.items()
        ],
        "transformer's training state on one device, without activations": memory,
    }


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


def _tera(flops: float) -> str:
    """Tera, to three digits, but never fewer than one decimal."""
    tera = flops / 1e12
    return f"{tera:,.1f}" if tera >= 1 else f"{tera:.3g}"


def _milliseconds(flops: float) -> str:
    return f"{1e3 * flops / PEAK_FLOPS:,.3g} ms"


def _gib(count: int) -> str:
    return f"{count / 2**30:,.2f} GiB"


def format_tables(tables: Mapping[str, Sequence[Row]]) -> str:
    """Plain columns, as wide as they need."""
    lines = []
    for title, table in tables.items():
        widths = [max(len(row[i]) for row in table) for i in range(3)]
        lines.append(f"\n{title}")
        lines += [f"  {a:<{widths[0]}}  {b:>{widths[1]}}  {c}".rstrip() for a, b, c in table]
    return "\n".join(lines).lstrip("\n")
