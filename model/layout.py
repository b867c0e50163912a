"""The index tensors of a packed batch: which token belongs to which sample, at which position.

Samples lie end to end in two streams, with nothing between them:

    text  stream   | text of 0 | text of 1 | ...
    image stream   | target 0 | ref 0.1 | ref 0.2 | target 1 | ...

Everything that depends on lengths is worked out here, on the CPU, together with the batch, so a
training step never waits for the device to learn a shape:

    rows         which line of a per-sample table (time modulation) a token reads
    positions    MSRoPE coordinates (frame, height, width), worked out per sample
    joint        how the streams merge for attention, [text, image] sample by sample (``joint.py``)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.joint import Joint, make_joint

Size = tuple[int, int]  # (h, w) in patches of 16 x 16 pixels


@dataclass(frozen=True)
class Rows:
    """For every token of a stream the row of a (count, D) table that applies to it."""

    ids: Tensor  # (N,) int64
    count: int
    run: int | None  # tokens per row, when every row has one run of that many, in order


@dataclass(frozen=True)
class Layout:
    """A packed batch of ``len(text_lengths)`` samples. All tensors live on one device; see the module docstring."""

    text_lengths: tuple[int, ...]
    images: tuple[tuple[Size, ...], ...]
    text_rows: Rows  # row = sample
    image_rows: Rows  # row = sample
    image_rows_zero_cond: Rows  # row = sample for target tokens, row B (time 0) for references
    target: Tensor  # (N_target,) int64: the target tokens within the image stream
    target_samples: Tensor  # (N_target,) int64: their samples
    target_lengths: tuple[int, ...]
    text_positions: Tensor  # (N_txt, 3) float32: MSRoPE coordinates (frame, height, width)
    image_positions: Tensor  # (N_img, 3) float32
    joint: Joint

    @property
    def n_text(self) -> int:
        return sum(self.text_lengths)

    @property
    def n_image(self) -> int:
        return sum(h * w for sizes in self.images for h, w in sizes)

    def to(self, device: torch.device | str) -> Layout:
        """The same layout on ``device``; copies from pinned memory do not wait."""
        return _map(self, lambda t: t.to(device, non_blocking=True))


def make_layout(text_lengths: Sequence[int], images: Sequence[Sequence[Size]], varlen: bool = False) -> Layout:
    """Lay out a batch.

    ``text_lengths[i]`` tokens of text and the images ``images[i]`` as (h, w) in patches (pixels / 16):
    the target first, then the references. ``varlen``: for the CUDA kernel, else for any device.
    Raises ValueError naming the sample for an empty text or image.
    """
    _check(text_lengths, images)
    texts = np.asarray(text_lengths, dtype=np.int64)
    sizes = [[(int(h), int(w)) for h, w in sample] for sample in images]
    image_lengths = np.array([sum(h * w for h, w in sample) for sample in sizes], dtype=np.int64)
    samples = np.arange(len(texts))
    image_samples = np.repeat(samples, image_lengths)
    in_target = np.concatenate([np.arange(n) < s[0][0] * s[0][1] for n, s in zip(image_lengths, sizes, strict=True)])
    return Layout(
        text_lengths=tuple(texts.tolist()),
        images=tuple(tuple(sample) for sample in sizes),
        text_rows=_rows(np.repeat(samples, texts), texts, len(texts)),
        image_rows=_rows(image_samples, image_lengths, len(texts)),
        image_rows_zero_cond=_rows(np.where(in_target, image_samples, len(texts)), None, len(texts) + 1),
        target=torch.from_numpy(np.flatnonzero(in_target)),
        target_samples=torch.from_numpy(image_samples[in_target]),
        target_lengths=tuple(s[0][0] * s[0][1] for s in sizes),
        text_positions=torch.from_numpy(_text_positions(texts, sizes)),
        image_positions=torch.from_numpy(_image_positions(sizes)),
        joint=make_joint(texts, image_lengths, varlen),
    )


def image_positions(frame: int, h: int, w: int) -> np.ndarray:
    """(h * w, 3) MSRoPE coordinates of image number ``frame``: rows and columns centred on 0 (report, section 2.4)."""
    rows, columns = np.arange(h) - (h - h // 2), np.arange(w) - (w - w // 2)
    grid = np.broadcast_arrays(np.float32(frame), rows[:, None], columns[None, :])
    return np.stack(grid, axis=-1).reshape(h * w, 3).astype(np.float32)


def text_start(sizes: Sequence[Size]) -> int:
    """First position of the text: just outside the largest image of the sample, the same on all three axes."""
    return max(max(h // 2, w // 2) for h, w in sizes)


def _check(text_lengths: Sequence[int], images: Sequence[Sequence[Size]]) -> None:
    if len(text_lengths) != len(images) or not text_lengths:
        raise ValueError(
            f"layout: {len(text_lengths)} texts for {len(images)} samples' images; give one or more, as many"
        )
    for i, (n, sizes) in enumerate(zip(text_lengths, images, strict=True)):
        if n < 1:
            raise ValueError(f"layout: sample {i} has a text of {n} tokens; at least 1 is needed")
        if not sizes or any(h < 1 or w < 1 for h, w in sizes):
            raise ValueError(
                f"layout: sample {i} has images {list(sizes)}; every (h, w) must be at least (1, 1) patches"
            )


def _text_positions(texts: np.ndarray, sizes: list[list[Size]]) -> np.ndarray:
    starts = np.repeat([text_start(sample) for sample in sizes], texts)
    within = np.arange(texts.sum()) - np.repeat(np.cumsum(texts) - texts, texts)
    return np.repeat((starts + within)[:, None], 3, axis=1).astype(np.float32)


def _image_positions(sizes: list[list[Size]]) -> np.ndarray:
    return np.concatenate([image_positions(frame, h, w) for s in sizes for frame, (h, w) in enumerate(s)])


def _rows(ids: np.ndarray, lengths: np.ndarray | None, count: int) -> Rows:
    same = lengths is not None and bool((lengths == lengths[0]).all())
    return Rows(torch.from_numpy(ids), count, int(lengths[0]) if lengths is not None and same else None)


def _map(value: Any, move: Callable[[Tensor], Tensor]) -> Any:
    """``move`` applied to every tensor inside nested frozen dataclasses and tuples of them."""
    if isinstance(value, Tensor):
        return move(value)
    if dataclasses.is_dataclass(value):
        fields = {f.name: _map(getattr(value, f.name), move) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)  # type: ignore[type-var]
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        return tuple(_map(v, move) for v in value)
    return value
