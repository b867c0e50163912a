"""Bytes of a training on one GPU: the state it holds, the blocks in flight, the activations kept for the backward pass.

    fp32 shards of weights, gradients, optimizer, average --all-gather in bf16--> two blocks at a time
                    ^                                                                   |
                    +------ reduce-scatter in fp32 <------ one block's gradients <------+

That is FSDP2 (ZeRO-3) with mixed precision: the shards are the fp32 master copy. Not counted: CUDA's and
NCCL's own buffers, the allocator's fragments, and temporaries of a backward pass or an optimizer's step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from model.config import MMDiTConfig

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from model.mmdit import MMDiT

Optimizer = Literal["adamw", "muon"]
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)
CARD_BYTES = 80 * 10**9  # an "80 GB" H100 has 85.5e9: the difference covers what is not counted

FP32, BF16 = 4, 2


@dataclass(frozen=True)
class State:
    """Bytes on each GPU, whatever the batch. ``average``: the trainer's averaged weights (EMA)."""

    weights: int
    gradients: int
    optimizer: int
    average: int
    in_flight: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.average + self.in_flight


def training_state(model: MMDiT, optimizer: Optimizer, gpus: int) -> State:
    """Everything in fp32 and divided by ``gpus``, but for the blocks in flight. ``model`` may be on the meta device."""
    trained = FP32 * _count(model, trained_only=True)
    return State(
        weights=_share(FP32 * _count(model), gpus),
        gradients=_share(trained, gpus),
        optimizer=_share(optimizer_bytes(model, optimizer), gpus),
        average=_share(trained, gpus),
        in_flight=_in_flight_bytes(model),
    )


def optimizer_bytes(model: Module, optimizer: Optimizer) -> int:
    """fp32 tensors that the optimizer keeps for the trained parameters, its step counters apart.

    AdamW: two moments. Muon: one momentum for the matrices of the blocks, AdamW for the rest.
    """
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return sum((1 if optimizer == "muon" and _is_muons(n, p) else 2) * FP32 * p.numel() for n, p in trained)


def _is_muons(name: str, parameter: Tensor) -> bool:
    """The rule of ``trainer/optim/optimizer.py``, which this package may not import; a test holds the two together."""
    return parameter.ndim == 2 and name.startswith("transformer_blocks.") and "_mod." not in name


def _in_flight_bytes(model: MMDiT) -> int:
    """Unsharded at the worst moment of the backward pass.

    bf16 weights of the block at work and of the one being fetched, and of the layers outside the blocks;
    one block's gradients, in bf16 and, on their way into the reduction, in fp32.
    """
    block = _count(model.transformer_blocks[0])
    outside = _count(model) - _count(model.transformer_blocks)
    return BF16 * (2 * block + outside) + (BF16 + FP32) * block


def activation_bytes(
    config: MMDiTConfig,
    n_image: int,
    n_text: int,
    element_bytes: int = BF16,
    checkpoint: bool = False,
    alike: bool = False,
) -> int:
    """Bytes that a micro-batch of ``n_image`` and ``n_text`` packed tokens keeps from forward to backward.

    ``checkpoint``: every block keeps its input and is computed again in the backward pass, one at a time.
    ``alike``: all samples have the same lengths (or there is one), so that modulation broadcasts.
    ``element_bytes``: of weights and activations, without autocast; on the CPU 4. Not compiled: then it is less.

    What autograd saves in a block, in elements of D = ``config.dim`` for each token (counted by hand, by ``Block.forward``):

        by                       tensor                                              times D
        modulate, twice          x, norm(x), their modulated sum for the linears     3 + 3
                                 scale of every token, unless alike                  1 + 1
        norm_rotate of q and k   before the norm                                     1 + 1
        attention                q, k, v and the output in joint order               4
        output projection        the output in the streams' order                    1
        add_gated, twice         output of the projection and of the MLP             1 + 1
                                 gate of every token, unless alike                   1 + 1
        MLP                      before and after the GELU                           4 + 4

    In fp32 beside them: mean and deviation of two norms, and for each head two RMS and attention's logarithm.
    The last block's text is asked only for keys and values. Per sample, not per token, and left out: the
    modulation's own layers, 18 D a block.
    """
    d, heads, layers = config.dim, config.num_attention_heads, config.num_layers
    unit = element_bytes * d
    text_table = 0 if alike else unit
    image_table = unit if config.zero_cond_t else text_table  # references and target read different rows
    every = 23 * unit + FP32 * (4 + 3 * heads)
    image, text = every + 4 * image_table, every + 4 * text_table
    last_text = 6 * unit + text_table + FP32 * (2 + heads)

    block, last = n_image * image + n_text * text, n_image * image + n_text * last_text
    ends = _ends_bytes(config, n_image, n_text, element_bytes, alike)
    if not checkpoint:
        return (layers - 1) * block + last + ends
    inputs = (n_image + n_text) * unit
    return layers * inputs + (block if layers > 1 else last) - inputs + ends


def _ends_bytes(config: MMDiTConfig, n_image: int, n_text: int, element_bytes: int, alike: bool) -> int:
    """Outside the blocks: inputs of the first linears, rope tables, the last norm.

    The text three times: as given, normalized in fp32, and times the norm's weight.
    """
    rope = FP32 * config.attention_head_dim
    output = (3 if alike else 4) * config.dim * element_bytes + FP32 * 2
    image = config.in_channels * element_bytes + rope + output
    text = config.joint_attention_dim * (2 * element_bytes + FP32) + rope
    return n_image * image + n_text * text


def _count(module: Module, trained_only: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained_only)


def _share(count: int, gpus: int) -> int:
    return -(-count // gpus)
