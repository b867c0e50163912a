"""Dropout before a LoRA's A, whose mask depends on (seed, step, slot, token, layer, channel) and on nothing else.

    KeyedRandom, slots, layout ──DropoutKeys.begin──> a number for each row of each stream
                                                         │ times a number for each channel, 32 bits, without a state
                                     KeyedDropout: drops where the product lies in the lowest share ``p``

So a sample has the same mask on every rank, in every cut into micro-batches, after a resume and when activation
checkpointing computes a block again; torch's generators are neither asked nor moved. A row that is nobody's sample
(time 0 of the references, a dummy's token) has a mask of the step. The products of odd random numbers are a
multiply-shift hash (Dietzfelbinger et al. 1997): one pass over the activations, on any device and compiled or not.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from model.layout import Layout, to_device
from trainer.order.draw import mix
from trainer.rng import LORA_DROPOUT, KeyedRandom

Stream = Literal["image", "text", "time"]
"""What the rows of a linear's input are: image tokens, text tokens, or one a sample."""

_TEXT = ("txt_in", ".txt_", ".add_", ".to_add_")
_TIME = ("time_text_embed.", "norm_out.", "_mod.")
_NOBODY = 2**40
"""Stands for the slot of a row that belongs to no sample; no batch is as large."""


def stream_of(name: str) -> Stream:
    """Of a linear of the network, by its name."""
    if any(mark in name for mark in _TIME):
        return "time"
    return "text" if any(mark in name for mark in _TEXT) else "image"


class DropoutKeys:
    """The numbers of the rows of the micro-batch at work, int32 and odd, shared by all layers of a model."""

    def __init__(self) -> None:
        self.rows: dict[Stream, Tensor] = {}

    def begin(self, rng: KeyedRandom, slots: Sequence[int], layout: Layout, device: torch.device) -> None:
        """Before the forward pass of the samples at ``slots`` of ``rng``'s step; they stay until the backward pass."""
        image = [sum(h * w for h, w in sizes) for sizes in layout.images]
        times = layout.table_rows + 1  # where references have a time of their own, it is the last row
        rows = {
            "image": _rows(rng, slots, image, layout.n_image),
            "text": _rows(rng, slots, layout.text_lengths, layout.n_text),
            "time": _rows(rng, slots, [1] * len(slots), times),
        }
        self.rows = {stream: to_device(_odd(found), device) for stream, found in rows.items()}  # type: ignore[misc]


class KeyedDropout(nn.Module):
    """In train mode drops a share ``p`` of its input's numbers and scales the others up by 1 / (1 - p)."""

    def __init__(self, p: float, name: str, keys: DropoutKeys) -> None:
        """``name``: of the linear."""
        super().__init__()
        self.keys, self.stream = keys, stream_of(name)
        self.limit, self.scale = round(p * 2**32) - 2**31, 1 / (1 - p)
        # A tensor, for a plain number would have torch.compile make each layer's graph anew.
        self.layer = torch.tensor(zlib.crc32(name.encode()) & 0x7FFFFFFE, dtype=torch.int32)

    def forward(self, x: Tensor) -> Tensor:
        """(..., channels) -> the same shape and dtype. The rows are the stream's, as ``begin`` was told."""
        if not self.training:
            return x
        drop = self._products(x) < self.limit
        return x.masked_fill(drop.view_as(x), 0) * self.scale

    def _products(self, x: Tensor) -> Tensor:
        """(rows, channels) int32, uniform over all odd numbers."""
        channels, count = x.shape[-1], x.numel() // x.shape[-1]
        rows = self.keys.rows[self.stream]
        if self.stream == "time":  # the only stream of which a layer may see the first rows alone
            rows = rows[:count]
        columns = _mixed(torch.arange(1, channels + 1, dtype=torch.int32, device=x.device)) | 1
        return (_mixed(rows ^ self.layer) | 1)[:, None] * columns


def dropout_keys(model: nn.Module) -> DropoutKeys | None:
    """Those that the layers of ``model`` share, None where it has no dropout."""
    return next((module.keys for module in model.modules() if isinstance(module, KeyedDropout)), None)


def _rows(rng: KeyedRandom, slots: Sequence[int], lengths: Sequence[int], count: int) -> np.ndarray:
    """(count,) uint64: a number for each row, of its slot and place within the sample; then nobody's, counted from the
    end."""
    owned = lengths if slots else []
    rest = count - sum(owned)
    places = np.concatenate([*(np.arange(n) for n in owned), np.arange(rest)[::-1]])
    owners = np.repeat([*slots, _NOBODY], [*owned, rest])
    return mix(rng.seed, rng.step, LORA_DROPOUT, owners, places)


def _odd(rows: np.ndarray) -> Tensor:
    """The low half of each, int32."""
    return torch.from_numpy((rows & np.uint64(0xFFFFFFFF) | np.uint64(1)).astype(np.uint32).view(np.int32))


def _mixed(x: Tensor) -> Tensor:
    """Every bit of int32 ``x`` into every other (murmur3's finalizer)."""
    x = (x ^ (x >> 16 & 0xFFFF)) * -2048144789
    x = (x ^ (x >> 13 & 0x7FFFF)) * -1028477387
    return x ^ (x >> 16 & 0xFFFF)
