"""The network as a rank has it: divided or whole, from meta to the weights of a folder, and how it is called.

meta ──divide_heads──> ──compile, checkpointing──> ──fully_shard──> empty ──slices of safetensors──> weights
"""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset
from torch.nn.parallel import DistributedDataParallel

from model.checkpoint import iterate_transformer, load_transformer, transformer_config
from model.mmdit import MMDiT
from trainer.config import FitConfig
from trainer.optim.offload import offload_blocks
from trainer.optim.weights import store_in_bf16
from trainer.parallel.activation import prepare_blocks
from trainer.parallel.tensor import divide_heads, shared_by_heads
from trainer.parallel.world import World
from trainer.start import Start

# Blocks return views, which nothing here changes in place.
warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")


@dataclass(frozen=True)
class Network:
    """``model``: parameters under diffusers' names. ``call``: what a forward pass goes through. ``scale``: what a loss
    is multiplied by before ``backward``, so that gradients are *sums* over ranks."""

    model: MMDiT
    call: nn.Module
    scale: float
    by_heads: list[nn.Parameter]

    def accumulating(self, last: bool) -> contextlib.AbstractContextManager[None]:
        """Around forward and backward of a micro-batch: gradients are exchanged after the ``last`` one only."""
        if isinstance(self.model, FSDPModule):
            self.model.set_requires_gradient_sync(last)
        if isinstance(self.call, DistributedDataParallel) and not last:
            return self.call.no_sync()
        return contextlib.nullcontext()


def open_network(config: FitConfig, base: Path, world: World, product: torch.dtype | None, start: Start) -> Network:
    """The transformer of the pipeline folder ``base``, ready to train. ``product``: dtype of autocast, None for none."""
    if config.parallel.compile and world.device.type == "cpu":
        world.tell(
            "parallel.compile: on a CPU attention depends on each sample's length, so that blocks are compiled for the first "
            "few batches only; it is meant for GPUs"
        )
    if world.mode == "fsdp":
        return _divided(config, base, world, product)
    model = _whole(config, base, world, product, start)
    offload_blocks(model, config.optimizer.offload_blocks)
    prepare_blocks(model, config.parallel.checkpointing, config.parallel.compile)
    if world.mode == "ddp":
        call = DistributedDataParallel(model, process_group=world.data.get_group())
        return Network(model, call, float(world.data.size()), [])
    return Network(model, model, 1.0, [])


def wide_dtype(config: FitConfig) -> torch.dtype:
    """Of weights, losses and what enters the network, where nothing narrower is asked for."""
    return torch.float64 if config.precision == "fp64" else torch.float32


def _whole(config: FitConfig, base: Path, world: World, product: torch.dtype | None, start: Start) -> MMDiT:
    if config.lora:
        from trainer.lora.base import open_lora

        return open_lora(base, config.lora, config.seed, product, world.device, config.weights, start.lora)
    if config.optimizer.weights == "bf16":
        model = load_transformer(base, torch.bfloat16, world.device, config.weights).train()
        store_in_bf16(model, world.device)
        return model
    return load_transformer(base, wide_dtype(config), world.device, config.weights).train()


def _divided(config: FitConfig, base: Path, world: World, product: torch.dtype | None) -> Network:
    with torch.device("meta"):
        model = MMDiT(transformer_config(base)).to(wide_dtype(config))
    narrow = config.optimizer.weights == "bf16"
    if narrow:
        store_in_bf16(model, world.device)
    if world.tensor.size() > 1:
        divide_heads(model, world.tensor)
    prepare_blocks(model, config.parallel.checkpointing, config.parallel.compile)
    # With one data group, too: an optimizer wants parameters of one kind.
    divide(model, world, None if narrow else product)
    model.to_empty(device=world.device)
    _load_slices(model, base, config.weights, torch.bfloat16 if narrow else wide_dtype(config))
    return Network(model.train(), model, 1.0, shared_by_heads(model))


def divide(model: MMDiT, world: World, product: torch.dtype | None) -> None:
    """FSDP2 by block. Gradients are reduced in fp32 (fp64 where weights are) and added up, not averaged."""
    # Inputs stay as they are: cast to half precision, the rotations and times would lose what they are about.
    policy = MixedPrecisionPolicy(
        param_dtype=product,
        reduce_dtype=torch.promote_types(next(model.parameters()).dtype, torch.float32),
        cast_forward_inputs=False,
    )
    for block in model.transformer_blocks:
        fully_shard(block, mesh=world.data, mp_policy=policy)
    fully_shard(model, mesh=world.data, mp_policy=policy)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo has no sum with a factor


@torch.no_grad()
def _load_slices(model: MMDiT, folder: Path, weights: str | None, dtype: torch.dtype) -> None:
    """Each rank keeps its own part of every weight; none ever holds a whole model."""
    parameters = dict(model.named_parameters())

    def slices(name: str) -> tuple[slice, ...]:
        return _my_slices(parameters[name])

    shapes = {name: parameter.shape for name, parameter in parameters.items()}
    for name, part in iterate_transformer(folder, weights, shapes, slices, dtype):
        target = parameters[name]
        (target.to_local() if isinstance(target, DTensor) else target).copy_(part)


def _my_slices(parameter: Tensor) -> tuple[slice, ...]:
    if not isinstance(parameter, DTensor):
        return tuple(slice(0, n) for n in parameter.shape)
    shape, start = compute_local_shape_and_global_offset(parameter.shape, parameter.device_mesh, parameter.placements)
    return tuple(slice(first, first + n) for first, n in zip(start, shape, strict=True))
