"""Activation checkpointing: what a block keeps for its backward pass, and what is computed again there.

    none        everything (23 D elements a token and block, ``model/memory.py``)
    selective   its input, attention's output and the MLP's (3 D)
    full        its input (1 D)

The MLP's second product is the dearest to repeat for what it keeps: a third of a block's products, 1 D. All six that
keep or narrow the width would be 4 D more, for another third: 54 GB of the 20B with 32 k tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from model.joint import JointLayout
from model.layout import RowIndex
from model.memory import Checkpointing

_ATTENTION = (
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "torch_attn::_varlen_attn",
    "flex_attention",
)
_PRODUCTS = {"aten::addmm": 2, "aten::mm": 1, "aten::linear": 1}  # name: which argument holds the weights


def prepare_blocks(model: nn.Module, mode: Checkpointing, compiled: bool, alike: bool = False) -> None:
    """Let every one of ``model.transformer_blocks`` forget what ``mode`` says, and compile it, in place.

    ``alike``: all batches have the same shapes, which are compiled as constants. Otherwise a graph serves any shape.
    Before ``fully_shard``. Wraps ``forward`` and no module, so names of parameters stay, and hooks on the block stay
    outside of what is compiled and computed again.
    """
    for block in model.transformer_blocks:  # type: ignore[union-attr]
        forward = block.forward
        if mode == "selective":  # chosen among operations, which the compiler must see: it runs them in place
            settings = {"context_fn": partial(create_selective_checkpoint_contexts, _policy)}
            forward = partial(checkpoint, forward, use_reentrant=False, **settings)
        if compiled:
            forward = (
                torch.compile(forward, dynamic=False) if alike else partial(_of_any_length, torch.compile(forward))
            )
        if mode == "full":
            forward = partial(checkpoint, forward, use_reentrant=False)
        block.forward = forward


def _of_any_length(
    compiled: Callable[..., Any],
    image: Tensor,
    text: Tensor,
    times: Tensor,
    text_times: Tensor,
    ropes: tuple[Tensor, Tensor],
    rows: tuple[RowIndex, RowIndex],
    joint: JointLayout,
) -> Any:
    """``Block.forward``, whose compiler is told beforehand that tokens and samples vary.

    It would find out by itself, size by size as each happens to change, with two more graphs every time and, after the
    eighth, none at all for the rest of the training.
    """
    from torch._dynamo import maybe_mark_dynamic

    orders = (index for queries in (joint.every, joint.image) for index in (queries.order, queries.inverse))
    indices = (*(each.ids for each in rows), joint.every.cu_seqlens, joint.image.cu_seqlens, *orders)
    for tensor in (image, text, times, text_times, *ropes, *indices):
        if tensor is not None:
            maybe_mark_dynamic(tensor, 0)
    return compiled(image, text, times, text_times, ropes, rows, joint)


def _policy(_context: Any, operator: Any, *args: Any, **_kwargs: Any) -> CheckpointPolicy:
    name = _name(operator)
    kept = name in _ATTENTION or (name in _PRODUCTS and _narrows(name, args))
    return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE


def _name(operator: Any) -> str:
    """``aten::mm`` of an overload such as aten.mm.default; FlexAttention, of a higher order, has a plain name."""
    return operator.name().split(".")[0] if isinstance(operator, OpOverload) else str(operator.name)


def _narrows(name: str, args: tuple[Any, ...]) -> bool:
    """Whether a product has fewer outputs than inputs: of a block's, the MLP's second alone."""
    weights: torch.Tensor = args[_PRODUCTS[name]]
    outputs, inputs = weights.shape if name == "aten::linear" else reversed(weights.shape)
    return outputs < inputs
