"""LoRA adapters in a model, by peft: chosen, made, filled, read out.

    LoraConfig ──lora_targets──> names ──first_lora (seed, or a file)──> numbers
                                                      │ add_lora: peft's layers around the frozen linears
    model.lora_files.write_lora <──lora_state── model <┘

peft replaces the linears and leaves the network's packed forward alone. Where the update starts is a function of
(seed, name) alone: neither the order of modules nor the device nor the number of ranks enters.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

import peft
import torch
import torch.nn.functional as F
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from configs import UserError
from model.lora_files import Lora, LoraPair, linear_shapes, lora_of
from model.mmdit import MMDiT
from trainer.lora.config import LoraConfig
from trainer.lora.dropout import DropoutKeys, KeyedDropout
from trainer.optim.offload import stored

_ADAPTER = "default"
_DEAD = ("attn.add_q_proj", "attn.to_add_out", "txt_mlp.net.0.proj", "txt_mlp.net.2")
"""Of the last block: they feed nothing, so their update would get no gradient."""


def lora_targets(model: MMDiT, config: LoraConfig) -> dict[str, tuple[int, int]]:
    """(out, in) of the linears that ``config`` names, in the model's order; the model may be on meta.

    Raises UserError for a pattern that matches no linear.
    """
    shapes = linear_shapes(model)
    for field, patterns in (("targets", config.targets), ("exclude", config.exclude)):
        idle = [pattern for pattern in patterns if not any(_matches(name, pattern) for name in shapes)]
        if idle:
            raise UserError(
                f"field 'lora.{field}': '{idle[0]}' matches no linear of the model; they are called like "
                f"{', '.join(list(shapes)[4:10:2])}"
            )
    dead = _dead(model)
    chosen = {
        name: shape
        for name, shape in shapes.items()
        if name not in dead
        and any(_matches(name, pattern) for pattern in config.targets)
        and not any(_matches(name, pattern) for pattern in config.exclude)
    }
    if not chosen:
        raise UserError("fields 'lora.targets', 'lora.exclude': leave no linear to train")
    return chosen


def first_lora(model: MMDiT, config: LoraConfig, seed: int, start: Lora | None = None) -> dict[str, LoraPair]:
    """Where training begins: zero updates of the targets drawn from ``seed``, or ``start``, which a file holds.

    The model may be on meta. Raises UserError where ``config`` does not fit it, or ``start`` does not fit both.
    """
    targets = lora_targets(model, config)
    return _new_lora(targets, config, seed) if start is None else _fitting(start, targets, config, _dead(model))


def add_lora(model: MMDiT, config: LoraConfig, lora: Lora) -> None:
    """Freeze ``model`` and put adapters around the linears of ``lora``, in place; only they train, in fp32.

    They hold ``lora``'s numbers. On meta they stay on meta: then ``fill_lora`` comes when the model has its memory.
    """
    model.requires_grad_(False)
    settings = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.scaled_by,  # type: ignore[arg-type]  # used as a factor only
        target_modules=list(lora),
        init_lora_weights=False,  # filled below
    )
    peft.inject_adapter_in_model(settings, model, _ADAPTER, low_cpu_mem_usage=_on_meta(model))
    keys = DropoutKeys()
    for name, layer in _layers(model):
        layer.cast_input_dtype_enabled = False  # peft would keep an input of its own for each adapter, in fp32
        for parts in (layer.lora_A, layer.lora_B):
            parts[_ADAPTER] = _AdapterLinear(parts[_ADAPTER].get_parameter("weight"))
        if config.dropout:  # peft's own would draw from torch's generator, whose state no checkpoint has
            layer.lora_dropout[_ADAPTER] = KeyedDropout(config.dropout, name, keys)
    fill_lora(model, lora)


def _new_lora(targets: Mapping[str, tuple[int, int]], config: LoraConfig, seed: int) -> dict[str, LoraPair]:
    """A zero update of every target, fp32 on the CPU: A uniform within 1 / sqrt(in) as Kaiming's, B zero (LoRA paper)."""
    return {
        name: LoraPair(_uniform((config.rank, n_in), seed, name), torch.zeros(n_out, config.rank), config.scaled_by)
        for name, (n_out, n_in) in targets.items()
    }


def _fitting(
    lora: Lora, targets: Mapping[str, tuple[int, int]], config: LoraConfig, dead: frozenset[str] = frozenset()
) -> dict[str, LoraPair]:
    """``lora`` written with the config's alpha, without the ``dead`` layers that other trainers save.

    Raises UserError saying which field to set where its rank or its layers are other ones.
    """
    live = {name: pair for name, pair in lora.items() if name not in dead}
    ranks = sorted({pair.rank for pair in live.values()})
    if ranks != [config.rank]:
        raise UserError(
            f"field 'lora.rank': is {config.rank}, the LoRA to go on from has {' and '.join(map(str, ranks))}"
        )
    more, fewer = [n for n in live if n not in targets], [n for n in targets if n not in live]
    if more or fewer:
        what = f"has '{more[0]}', which they leave out" if more else f"lacks '{fewer[0]}', which they take"
        raise UserError(f"fields 'lora.targets', 'lora.exclude': the LoRA to go on from {what}")
    return {name: live[name].with_alpha(config.scaled_by) for name in targets}


@torch.no_grad()
def fill_lora(model: nn.Module, lora: Lora) -> None:
    """Copy the numbers into the adapters; those on meta are left alone."""
    for name, layer in _layers(model):
        down, up = _weights(layer)
        if not down.is_meta:
            down.copy_(lora[name].down)
            up.copy_(lora[name].up)


def lora_state(model: nn.Module, averaged: Mapping[str, Tensor] | None = None) -> dict[str, LoraPair]:
    """The adapters by name of their linear, on the CPU. ``averaged``: by parameter names, in place of the model's."""
    alpha = next(float(layer.lora_alpha[_ADAPTER]) for _, layer in _layers(model))
    state = {name: stored(parameter) for name, parameter in model.named_parameters()}
    return lora_of({**state, **(averaged or {})}, alpha)


@contextlib.contextmanager
def without_adapters(model: nn.Module) -> Iterator[None]:
    """The frozen model that the adapters were put into."""
    for _, layer in _layers(model):
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for _, layer in _layers(model):
            layer.enable_adapters(True)


class _AdapterLinear(nn.Linear):
    """fp32 weights that are multiplied in the dtype of what comes in, under autocast or not; their gradient is fp32."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight.shape[1], weight.shape[0], bias=False, device=weight.device)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight.to(input.dtype))


def _layers(model: nn.Module) -> Iterator[tuple[str, LoraLayer]]:
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            yield name, module


def _weights(layer: LoraLayer) -> tuple[Tensor, Tensor]:
    """(down, up)."""
    return layer.lora_A[_ADAPTER].get_parameter("weight"), layer.lora_B[_ADAPTER].get_parameter("weight")


def _uniform(shape: tuple[int, int], seed: int, name: str) -> Tensor:
    key = hashlib.sha256(f"{seed} {name}".encode()).digest()
    generator = torch.Generator("cpu").manual_seed(int.from_bytes(key[:8], "big") >> 1)
    bound = 1 / math.sqrt(shape[1])
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"*.{pattern}")


def _dead(model: MMDiT) -> frozenset[str]:
    return frozenset(f"transformer_blocks.{model.config.num_layers - 1}.{name}" for name in _DEAD)


def _on_meta(model: nn.Module) -> bool:
    return any(parameter.is_meta for parameter in model.parameters())
