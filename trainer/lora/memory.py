"""Bytes of a LoRA training on one GPU: a frozen base, small trained matrices, activations of one block at a time.

    base on the device (a byte or two a weight) + blocks in flight, where some live on the host
    + adapters, their gradients, two moments and average in fp32
    + activations of the network (``model/memory.py``) + what the adapters keep of one block

Not counted: CUDA's own buffers, the allocator's fragments, VAE and text encoder where they stay on the GPU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from model.memory import Checkpointing, activation_bytes
from model.mmdit import MMDiT, MMDiTConfig
from model.quantized import quantize_blocks
from trainer.lora.adapters import lora_targets
from trainer.lora.config import LoraConfig
from trainer.lora.dropout import stream_of

_FP32, _BF16 = 4, 2
_IN_FLIGHT = 2  # blocks: the one at work and the one that is being fetched


@dataclass(frozen=True)
class LoraMemory:
    """Bytes on the device. ``block``: one block of the base, by which each block on the host makes ``base`` less;
    ``host``: what lies there. ``states``: gradients, two moments, average."""

    base: int
    block: int
    host: int
    adapters: int
    states: int
    activations: int

    @property
    def total(self) -> int:
        return self.base + self.adapters + self.states + self.activations

    def lines(self, encoders: int, card: int) -> list[str]:
        """For a terminal, in GB (10^9). ``encoders``: bytes of VAE and text encoder; ``card``: of the GPU."""
        parts = {
            "frozen base, blocks in flight": self.base,
            "adapters": self.adapters,
            "their gradients, moments and averages, fp32": self.states,
            "activations": self.activations,
            "VAE and text encoder": encoders,
        }
        peak = self.total + encoders
        answer = "yes" if peak <= card else f"no, {(peak - card) / 1e9:.1f} GB too much"
        return [
            "memory on a GPU:",
            *(f"    {size / 1e9:8.3f} GB  {name}" for name, size in parts.items()),
            f"    {peak / 1e9:8.3f} GB  peak; fits on a card of {card / 1e9:.0f} GB: {answer}",
            *([f"    {self.host / 1e9:8.3f} GB  in the machine's memory"] if self.host else []),
        ]


def lora_memory(
    config: MMDiTConfig,
    lora: LoraConfig,
    n_image: int,
    n_text: int,
    checkpointing: Checkpointing,
    blocks_on_host: int = 0,
    alike: bool = False,
    state_bytes: int = 4 * _FP32,
) -> LoraMemory:
    """Of a micro-batch of ``n_image`` and ``n_text`` tokens, in bf16.

    ``alike``: its samples have the same lengths. ``state_bytes``: a trained number's gradient, moments and average; 16 for AdamW with an average on the device.
    """
    activations = activation_bytes(config, n_image, n_text, checkpointing=checkpointing, alike=alike)
    model = _frozen_base(config, lora)
    targets = lora_targets(model, lora)
    blocks = [module_bytes(block) for block in model.transformer_blocks]
    flight = sum(sorted(blocks)[-min(_IN_FLIGHT, blocks_on_host) :]) if blocks_on_host else 0
    host = sum(blocks[:blocks_on_host])
    trained = sum(lora.rank * (n_out + n_in) for n_out, n_in in targets.values())
    return LoraMemory(
        base=module_bytes(model) - host + flight,
        block=max(blocks),
        host=host,
        adapters=_FP32 * trained,
        states=state_bytes * trained,
        activations=activations + _adapter_activations(targets, lora, n_image, n_text),
    )


def _frozen_base(config: MMDiTConfig, lora: LoraConfig) -> MMDiT:
    """The network as it lies in memory under ``lora.base_dtype``, on meta."""
    with torch.device("meta"):
        model = MMDiT(config)
    model = model.to(torch.float32 if lora.base_dtype == "fp32" else torch.bfloat16).requires_grad_(False)
    if lora.base_dtype in ("int8", "fp8"):
        quantize_blocks(model, lora.base_dtype)
    return model


def module_bytes(module: torch.nn.Module) -> int:
    """Of parameters and buffers."""
    return sum(t.nbytes for t in (*module.parameters(), *module.buffers()))


def _adapter_activations(targets: dict[str, tuple[int, int]], lora: LoraConfig, n_image: int, n_text: int) -> int:
    """What lies between A and B, of the block that keeps most; with dropout its input and mask, too.

    A's input is what the network without adapters keeps for the gradient of the weight, which is frozen here: it is
    counted already. Linears of the modulation work once a sample, not once a token: left out.
    """
    blocks: dict[str, int] = {}
    for name, (_, n_in) in targets.items():
        if stream_of(name) != "time" and name.startswith("transformer_blocks."):
            tokens = n_text if stream_of(name) == "text" else n_image
            block = name.split(".")[1]
            kept = _BF16 * lora.rank + ((_BF16 + 1) * n_in if lora.dropout else 0)
            blocks[block] = blocks.get(block, 0) + tokens * kept
    return max(blocks.values(), default=0)


def blocks_to_offload(plan: LoraMemory, limit: int, blocks: int) -> int | None:
    """How many blocks must live on the host for ``plan``, made without any, to stay within ``limit`` bytes; 0 for none,
    None where not even all of them are enough."""
    if plan.total <= limit:
        return 0
    count = math.ceil((plan.total - limit) / plan.block) + _IN_FLIGHT
    return count if count <= blocks else None
