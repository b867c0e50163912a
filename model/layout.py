"""The index tensors of a packed batch: which token belongs to which sample, at which position.

Samples lie end to end in two streams, with nothing between them:

    text  stream   | text of 0 | text of 1 | ...
    image stream   | target 0 | ref 0.1 | ref 0.2 | target 1 | ...

Everything that depends on lengths is worked out here, on the CPU, together with the batch, so a
training step never waits for the device to learn a shape:

    rows        which line of a per-sample table (time modulation) a token reads
    positions   MSRoPE coordinates (frame, height, width), per sample
    cu_seqlens  where each joint sequence [text, image] of a sample starts
    groups      samples of like length, padded to one rectangle, for attention without a varlen kernel
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

Size = tuple[int, int]  # (h, w) in patches of 16 x 16 pixels

# Ours: padding up to a quarter of a group costs less on a CPU than another attention call.
PADDING_LIMIT = 1.25


@dataclass(frozen=True)
class Rows:
    """For every token of a stream the row of a (count, D) table that applies to it."""

    ids: Tensor  # (N,) int64
    count: int
    run: int | None  # tokens per row, when every row has one run of that many, in order


@dataclass(frozen=True)
class Group:
    """Some samples as a rectangle of joint sequences; indices point into the stream [all text | all images]."""

    index: Tensor  # (G, S) int64; padding points at token 0
    mask: Tensor | None  # (G, 1, 1, S) bool, True where a key is real; None when nothing is padded
    image_index: Tensor  # (G, M) int64 into the image stream alone: the queries of the last block


@dataclass(frozen=True)
class Layout:
    """A packed batch of ``len(text_lengths)`` samples. All tensors live on one device; see the module docstring."""

    text_lengths: tuple[int, ...]
    images: tuple[tuple[Size, ...], ...]
    text_rows: Rows  # row = sample
    image_rows: Rows  # row = sample
    image_rows_zero_cond: Rows  # row = sample for target tokens, row B (time 0) for references
    positions: Tensor  # (N_txt + N_img, 3) float32, in the order of the stream [all text | all images]
    target: Tensor  # (N_target,) int64: the target tokens within the image stream
    target_samples: Tensor  # (N_target,) int64: their samples
    target_lengths: tuple[int, ...]
    joint_order: Tensor  # (N_txt + N_img,) int64: the stream [all text | all images] read sample by sample
    joint_inverse: Tensor  # (N_txt + N_img,) int64: the way back
    cu_seqlens: Tensor  # (B + 1,) int32
    cu_seqlens_image: Tensor  # (B + 1,) int32: image tokens alone
    max_seqlen: int
    max_seqlen_image: int
    uniform: bool  # every sample has the same text length and the same number of image tokens
    groups: tuple[Group, ...]
    group_inverse: Tensor  # (N_txt + N_img,) int64: place of each token among the groups' flattened rectangles
    group_image_inverse: Tensor  # (N_img,) int64: the same for the groups' image queries

    @property
    def n_text(self) -> int:
        return sum(self.text_lengths)

    @property
    def n_image(self) -> int:
        return sum(h * w for sizes in self.images for h, w in sizes)

    def to(self, device: torch.device | str) -> Layout:
        """The same layout on ``device``; copies from pinned memory do not wait."""
        return _map(self, lambda t: t.to(device, non_blocking=True))

    def pin_memory(self) -> Layout:
        return _map(self, Tensor.pin_memory)


def make_layout(text_lengths: Sequence[int], images: Sequence[Sequence[Size]]) -> Layout:
    """Lay out a batch.

    ``text_lengths[i]`` tokens of text and the images ``images[i]`` as (h, w) in patches (pixels / 16):
    the target first, then the references. Raises ValueError naming the sample for an empty text or image.
    """
    _check(text_lengths, images)
    texts = np.asarray(text_lengths, dtype=np.int64)
    sizes = [[(int(h), int(w)) for h, w in sample] for sample in images]
    image_lengths = np.array([sum(h * w for h, w in sample) for sample in sizes], dtype=np.int64)
    samples = np.arange(len(texts))
    image_samples = np.repeat(samples, image_lengths)
    in_target = np.concatenate([np.arange(n) < s[0][0] * s[0][1] for n, s in zip(image_lengths, sizes, strict=True)])
    order, lengths = _joint_order(texts, image_lengths), texts + image_lengths
    uniform = bool((texts == texts[0]).all() and (image_lengths == image_lengths[0]).all())
    groups, group_inverse, group_image_inverse = _groups(texts, image_lengths)
    return Layout(
        text_lengths=tuple(int(n) for n in texts),
        images=tuple(tuple(sample) for sample in sizes),
        text_rows=_rows(np.repeat(samples, texts), texts, len(texts)),
        image_rows=_rows(image_samples, image_lengths, len(texts)),
        image_rows_zero_cond=_rows(np.where(in_target, image_samples, len(texts)), None, len(texts) + 1),
        positions=torch.from_numpy(_positions(texts, sizes)),
        target=torch.from_numpy(np.flatnonzero(in_target)),
        target_samples=torch.from_numpy(image_samples[in_target]),
        target_lengths=tuple(s[0][0] * s[0][1] for s in sizes),
        joint_order=torch.from_numpy(order),
        joint_inverse=torch.from_numpy(np.argsort(order)),
        cu_seqlens=_cumulative(lengths),
        cu_seqlens_image=_cumulative(image_lengths),
        max_seqlen=int(lengths.max()),
        max_seqlen_image=int(image_lengths.max()),
        uniform=uniform,
        groups=groups,
        group_inverse=group_inverse,
        group_image_inverse=group_image_inverse,
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


def _positions(texts: np.ndarray, sizes: list[list[Size]]) -> np.ndarray:
    text = [
        np.repeat(np.arange(start, start + n, dtype=np.float32)[:, None], 3, axis=1)
        for n, start in zip(texts, (text_start(sample) for sample in sizes), strict=True)
    ]
    image = [image_positions(frame, h, w) for sample in sizes for frame, (h, w) in enumerate(sample)]
    return np.concatenate(text + image)


def _rows(ids: np.ndarray, lengths: np.ndarray | None, count: int) -> Rows:
    same = lengths is not None and bool((lengths == lengths[0]).all())
    return Rows(torch.from_numpy(ids), count, int(lengths[0]) if lengths is not None and same else None)


def _cumulative(lengths: np.ndarray) -> Tensor:
    return torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))


def _joint_order(texts: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Indices into [all text | all images] that read it as [text 0, image 0, text 1, image 1, ...]."""
    return np.concatenate(_joint_sequences(texts, images))


def _joint_sequences(texts: np.ndarray, images: np.ndarray) -> list[np.ndarray]:
    text_starts, image_starts = np.cumsum(texts) - texts, np.cumsum(images) - images + texts.sum()
    return [
        np.concatenate([np.arange(t, t + n), np.arange(i, i + m)])
        for t, n, i, m in zip(text_starts, texts, image_starts, images, strict=True)
    ]


def _groups(texts: np.ndarray, images: np.ndarray) -> tuple[tuple[Group, ...], Tensor, Tensor]:
    """Rectangles of joint sequences, and where each token ended up in them."""
    sequences = _joint_sequences(texts, images)
    inverse, image_inverse = np.zeros(int(texts.sum() + images.sum()), np.int64), np.zeros(int(images.sum()), np.int64)
    groups, offset, image_offset = [], 0, 0
    for members in _like_lengths(texts + images):
        index = _rectangle([sequences[i] for i in members])
        image_index = _rectangle([sequences[i][texts[i] :] - texts.sum() for i in members])
        lengths = np.array([len(sequences[i]) for i in members])
        real = np.arange(index.shape[1]) < lengths[:, None]
        image_real = np.arange(image_index.shape[1]) < images[members][:, None]
        inverse[index[real]] = offset + np.flatnonzero(real)
        image_inverse[image_index[image_real]] = image_offset + np.flatnonzero(image_real)
        offset, image_offset = offset + index.size, image_offset + image_index.size
        mask = None if real.all() else torch.from_numpy(real[:, None, None, :])
        groups.append(Group(torch.from_numpy(index), mask, torch.from_numpy(image_index)))
    return tuple(groups), torch.from_numpy(inverse), torch.from_numpy(image_inverse)


def _like_lengths(lengths: np.ndarray) -> list[list[int]]:
    """Samples from short to long, cut where padding to the longest would exceed PADDING_LIMIT."""
    parts: list[list[int]] = []
    total = 0
    for i in np.argsort(lengths, kind="stable"):
        total += int(lengths[i])
        if parts and (len(parts[-1]) + 1) * lengths[i] <= PADDING_LIMIT * total:
            parts[-1].append(int(i))
        else:
            parts.append([int(i)])
            total = int(lengths[i])
    return parts


def _rectangle(sequences: list[np.ndarray]) -> np.ndarray:
    out = np.zeros((len(sequences), max(len(s) for s in sequences)), np.int64)
    for row, sequence in zip(out, sequences, strict=True):
        row[: len(sequence)] = sequence
    return out


def _map(value: Any, move: Any) -> Any:
    """``move`` applied to every tensor inside nested frozen dataclasses and tuples of them."""
    if isinstance(value, Tensor):
        return move(value)
    if dataclasses.is_dataclass(value):
        fields = {f.name: _map(getattr(value, f.name), move) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)  # type: ignore[type-var]
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        return tuple(_map(v, move) for v in value)
    return value
