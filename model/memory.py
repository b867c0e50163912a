"""Bytes of a training, part by part, from the shapes alone: ``memory_plan.py`` adds them up.

Everything is counted for one GPU. Under FSDP2 (ZeRO-3) weights, gradients, states and averages are cut over the
data-parallel ranks, and matrices of the blocks over the tensor-parallel ones before that:

    shards of weights, gradients, states, average --all-gather, in the products' dtype--> two blocks at a time
                    ^                                                                           |
                    +--------- reduce-scatter in fp32 <--------- one block's gradients <--------+
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Literal, get_args

from model.config import MMDiTConfig

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Optimizer = Literal["adamw", "muon", "adamw8bit", "adafactor"]
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)
Checkpointing = Literal["none", "selective", "full"]

FP32, BF16 = 4, 2


@dataclass(frozen=True)
class Setting:
    """What of a training decides its memory: fields of ``configs/train`` with their names there, and the ranks.

    ``optimizer``: the optimizer's plan, or muon. ``average``: where the averaged weights (EMA) live.
    ``products``: dtype of matrix products. ``mode``: single and ddp keep everything whole, fsdp cuts it over
    ``gpus`` / ``tp``. ``encoders``: whether VAE and text encoder stay on the GPU. ValueError for what cannot be.
    """

    optimizer: Optimizer = "adamw"
    weights: Literal["fp32", "bf16"] = "fp32"
    in_backward: bool = False
    offload_blocks: int = 0
    average: Literal["none", "device", "host"] = "device"
    products: Literal["fp32", "bf16"] = "bf16"
    mode: Literal["single", "ddp", "fsdp"] = "single"
    gpus: int = 1
    tp: int = 1
    checkpointing: Checkpointing = "none"
    encoders: bool = False

    def __post_init__(self) -> None:
        if self.gpus < 1 or self.tp < 1 or self.gpus % self.tp:
            raise ValueError(f"{self.gpus} GPUs cannot be cut into groups of tp = {self.tp}")
        if self.mode != "fsdp" and self.tp > 1:
            raise ValueError(f"tp = {self.tp}: tensor parallel goes with mode fsdp, found {self.mode}")
        if self.mode == "single" and self.gpus > 1:
            raise ValueError(f"mode single: one GPU, found {self.gpus}")
        if self.mode == "ddp" and (self.in_backward or self.offload_blocks):
            raise ValueError("mode ddp averages gradients after the backward pass: no in_backward, no offload_blocks")

    @property
    def shards(self) -> int:
        """Ranks that everything is cut over beside tensor parallel."""
        return self.gpus // self.tp if self.mode == "fsdp" else 1

    @property
    def weight_bytes(self) -> int:
        return BF16 if self.weights == "bf16" else FP32

    @property
    def product_bytes(self) -> int:
        return BF16 if self.products == "bf16" else FP32

    @property
    def autocast(self) -> bool:
        """Whether fp32 weights are multiplied in bf16 without FSDP2, whose policy does it by itself."""
        return self.mode != "fsdp" and self.weights == "fp32" and self.products == "bf16"


class Parameters:
    """Numbers of a model's parameters as a rank holds them. ``model`` may be on the meta device."""

    def __init__(self, model: Module, setting: Setting) -> None:
        self.setting = setting
        self.every = dict(model.named_parameters())
        away = tuple(f"transformer_blocks.{i}." for i in range(setting.offload_blocks))
        self.away = {name for name in self.every if name.startswith(away)} if away else set()
        self.trained = [name for name, p in self.every.items() if p.requires_grad]

    def count(self, names: Iterable[str]) -> int:
        """Numbers on this rank: shards are rounded up."""
        return sum(self.mine(name) for name in names)

    def mine(self, name: str) -> int:
        return _share(self.every[name].numel(), self._tp(name) * self.setting.shards)

    def unsharded(self, names: Iterable[str]) -> int:
        """As they are while they are at work: cut by tensor parallel alone."""
        return sum(_share(self.every[name].numel(), self._tp(name)) for name in names)

    def block(self, number: int = 0) -> list[str]:
        return [name for name in self.every if name.startswith(f"transformer_blocks.{number}.")]

    def states(self, name: str) -> int:
        """Bytes that the optimizer keeps for a parameter, its step counter apart (``state_bytes``)."""
        whole = state_bytes(name, self.every[name], self.setting.optimizer)
        return _share(whole, self._tp(name) * self.setting.shards)

    def _tp(self, name: str) -> int:
        inside = name.startswith("transformer_blocks.") and self.every[name].ndim == 2
        return self.setting.tp if inside else 1


def state_bytes(name: str, parameter: Tensor, optimizer: Optimizer) -> int:
    """What ``trainer/optim`` keeps for a whole parameter; this package may not import it, a test holds them together.

    AdamW: two moments. Muon: one momentum for matrices of the blocks. In 8 bits: two codes a weight of a matrix and
    a scale for up to 256. Adafactor: a mean for each row and each column of a matrix, a number a weight of a vector.
    """
    count, matrix = parameter.numel(), parameter.ndim == 2
    if optimizer == "adafactor":
        return FP32 * (sum(parameter.shape) if matrix else count)
    if optimizer == "muon" and matrix and name.startswith("transformer_blocks.") and "_mod." not in name:
        return FP32 * count
    block = gcd(256, parameter.shape[-1] // 4) if matrix and parameter.shape[-1] % 4 == 0 else 0
    if optimizer == "adamw8bit" and block >= 32 and count >= 4096:
        return 2 * (count + FP32 * count // block)
    return 2 * FP32 * count


def activation_bytes(
    config: MMDiTConfig,
    n_image: int,
    n_text: int,
    element_bytes: int = BF16,
    checkpointing: Checkpointing = "none",
    alike: bool = False,
    tp: int = 1,
    autocast: bool = False,
) -> int:
    """Bytes that a micro-batch of ``n_image`` and ``n_text`` packed tokens keeps from forward to backward.

    ``checkpointing``: ``trainer/parallel/activation.py``; one block at a time is computed again in the backward pass.
    ``alike``: all samples have the same lengths (or there is one), so that modulation broadcasts.
    ``element_bytes``: of activations; on the CPU 4. ``tp``: heads and MLP are cut. Not compiled: then it is less.

    What autograd saves in a block, in elements of D = ``config.dim`` for each token (counted by hand, by ``Block.forward``):

        by                       tensor                                              times D
        modulate, twice          x, norm(x), their modulated sum for the linears     3 + 3
                                 scale of every token, unless alike                  1 + 1
        norm_rotate of q and k   before the norm                                     1 + 1      / tp
        attention                q, k, v and the output in joint order               4          / tp
        output projection        the output in the streams' order                    1          / tp
        add_gated, twice         output of the projection and of the MLP             1 + 1
                                 gate of every token, unless alike                   1 + 1
        MLP                      before and after the GELU                           4 + 4      / tp

    In fp32 beside them: mean and deviation of two norms, and for each head two RMS and attention's logarithm.
    The last block's text is asked only for keys and values. Per sample, not per token, and left out: the
    modulation's own layers, 18 D a block. Selective checkpointing keeps x, attention's output and the MLP's.
    ``autocast`` to bf16 on CUDA norms in fp32 and casts anew for each of q, k and v: 6 more.
    """
    unit, heads, layers = element_bytes * config.dim, config.num_attention_heads, config.num_layers
    text_table = 0 if alike else unit
    image_table = unit if config.zero_cond_t else text_table  # references and target read different rows
    every = 8 * unit + (15 * unit + 3 * FP32 * heads) // tp + 4 * FP32
    last_text = 3 * unit + text_table + (3 * unit + FP32 * heads) // tp + 2 * FP32
    if autocast:
        every, last_text = every + 6 * unit, last_text + 3 * unit
    image, text = every + 4 * image_table, every + 4 * text_table

    block, last = n_image * image + n_text * text, n_image * image + n_text * last_text
    ends = _ends_bytes(config, n_image, n_text, element_bytes, alike)
    if checkpointing == "none":
        return (layers - 1) * block + last + ends
    inputs = (n_image + n_text) * unit
    kept = (unit + FP32 * heads) // tp + unit if checkpointing == "selective" else 0
    remembered = layers * inputs + ((layers - 1) * (n_image + n_text) + n_image) * kept
    # Computed again: all that a block saves, of which its input and what was kept are there.
    there = unit + kept
    again = block - (n_image + n_text) * there if layers > 1 else last - n_image * there - n_text * unit
    return remembered + again + ends


def _ends_bytes(config: MMDiTConfig, n_image: int, n_text: int, element_bytes: int, alike: bool) -> int:
    """Outside the blocks: inputs of the first linears, rope tables, the last norm.

    The text three times: as given, normalized in fp32, and times the norm's weight.
    """
    rope = FP32 * config.attention_head_dim
    output = (3 if alike else 4) * config.dim * element_bytes + FP32 * 2
    image = config.in_channels * element_bytes + rope + output
    text = config.joint_attention_dim * (2 * element_bytes + FP32) + rope
    return n_image * image + n_text * text


def _share(count: int, ranks: int) -> int:
    return -(-count // ranks)
