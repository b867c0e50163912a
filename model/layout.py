"""The index tensors of a packed batch: which token belongs to which sample, at which position.

Samples lie end to end in two streams, with nothing between them:

    text  stream   | text of 0 | text of 1 | ...
    image stream   | target 0 | ref 0.1 | ref 0.2 | target 1 | ...

Everything that depends on lengths is worked out here, on the CPU, together with the batch, so a
training step never waits for the device to learn a shape:

    rows         which line of a per-sample table (time modulation) a token reads
    positions    MSRoPE coordinates (frame, height, width), worked out per sample
    joint        how the streams merge for attention, [text, image] sample by sample (``joint.py``)

With a ``Padding`` the shapes are the same from batch to batch: both streams end in one dummy sample,
which nobody reads, and the tables have room for a fixed number of samples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.joint import JointLayout, Kernel, make_joint

Size = tuple[int, int]  # (h, w) in patches of 16 x 16 pixels


@dataclass(frozen=True)
class RowIndex:
    """For every token of a stream the row of a per-sample table that applies to it."""

    ids: Tensor  # (N,) int64
    run: int | None  # tokens per row, when every row has one run of that many, in order


@dataclass(frozen=True)
class Padding:
    """What batches have in common, so that a compiled block and the attention kernel see few shapes.

    ``samples``: tables have a row for each of so many, and one for the dummy. ``longest``: tokens of
    a sample, [text, images], at most. ``multiple``: each stream is filled up to a multiple of it.
    """

    samples: int
    longest: int
    multiple: int = 256

    def __post_init__(self) -> None:
        for name in ("samples", "longest", "multiple"):
            if getattr(self, name) < 1:
                raise ValueError(f"padding.{name} is {getattr(self, name)}; at least 1 is needed")


@dataclass(frozen=True)
class Layout:
    """A packed batch of ``len(text_lengths)`` samples. All tensors live on one device; see the module docstring."""

    text_lengths: tuple[int, ...]
    images: tuple[tuple[Size, ...], ...]
    n_text: int  # tokens of the text stream, the dummy's included
    n_image: int
    table_rows: int  # of a per-sample table: the samples, what room there is for more, the dummy
    text_rows: RowIndex  # row = sample
    image_rows: RowIndex  # row = sample
    image_rows_zero_cond: RowIndex  # row = sample for target tokens, row ``table_rows`` (time 0) for references
    target: Tensor  # (N_target,) int64: the target tokens within the image stream
    target_samples: Tensor  # (N_target,) int64: their samples
    target_tokens: Tensor  # (N_target,) float32: how many tokens the target has
    text_positions: Tensor  # (N_txt, 3) float32: MSRoPE coordinates (frame, height, width)
    image_positions: Tensor  # (N_img, 3) float32
    joint: JointLayout

    def check(self, image_tokens: int, text_tokens: int, times: int) -> None:
        """ValueError unless a batch of so many tokens and times is this one, with or without the dummy."""
        real = sum(h * w for sizes in self.images for h, w in sizes)
        for name, found, right in (
            ("image tokens", image_tokens, {real, self.n_image}),
            ("text tokens", text_tokens, {sum(self.text_lengths), self.n_text}),
            ("sigmas", times, {len(self.text_lengths), self.table_rows}),
        ):
            if found not in right:
                raise ValueError(f"{found} {name} for a layout of {' or '.join(map(str, sorted(right)))}")

    def to(self, device: torch.device | str) -> Layout:
        """The same layout on ``device``; the CPU does not wait for it."""
        moved = _map(self, lambda t: to_device(t, device))
        return (
            dataclasses.replace(moved, joint=moved.joint.with_block_masks()) if self.joint.kernel == "flex" else moved
        )


def make_layout(
    text_lengths: Sequence[int],
    images: Sequence[Sequence[Size]],
    kernel: Kernel = "rectangles",
    padding: Padding | None = None,
) -> Layout:
    """Lay out a batch.

    ``text_lengths[i]`` tokens of text and the images ``images[i]`` as (h, w) in patches (pixels / 16):
    the target first, then the references. ``kernel``: ``attention.kernel_for`` knows which one a device has.
    Raises ValueError naming the sample for an empty text or image, or for one beyond ``padding``.
    """
    _check(text_lengths, images, padding)
    texts = np.asarray(text_lengths, dtype=np.int64)
    sizes = [[(int(h), int(w)) for h, w in sample] for sample in images]
    image_lengths = np.array([sum(h * w for h, w in sample) for sample in sizes], dtype=np.int64)
    target_lengths = np.array([sample[0][0] * sample[0][1] for sample in sizes])
    text_positions, positions = _text_positions(texts, sizes), _image_positions(sizes)
    in_target = np.concatenate([np.arange(n) < t for n, t in zip(image_lengths, target_lengths, strict=True)])
    target_samples = np.repeat(np.arange(len(texts)), target_lengths)
    if padding:  # from here on there are ``padding.samples`` samples, most of them perhaps empty, and the dummy
        texts, image_lengths = (_filled(lengths, padding) for lengths in (texts, image_lengths))
        text_positions, positions = _extended(text_positions, texts.sum()), _extended(positions, image_lengths.sum())
    count, target = len(texts), np.flatnonzero(in_target)
    image_samples = np.repeat(np.arange(count), image_lengths)
    referenced = np.ones(len(image_samples), bool)
    referenced[target] = False
    return Layout(
        text_lengths=tuple(int(n) for n in text_lengths),
        images=tuple(tuple(sample) for sample in sizes),
        n_text=int(texts.sum()),
        n_image=len(image_samples),
        table_rows=count,
        text_rows=_rows(np.repeat(np.arange(count), texts), texts, fixed=padding is not None),
        image_rows=_rows(image_samples, image_lengths, fixed=padding is not None),
        image_rows_zero_cond=RowIndex(torch.from_numpy(np.where(referenced, count, image_samples)), None),
        target=torch.from_numpy(target),
        target_samples=torch.from_numpy(target_samples),
        target_tokens=torch.from_numpy(target_lengths[target_samples].astype(np.float32)),
        text_positions=torch.from_numpy(text_positions),
        image_positions=torch.from_numpy(positions),
        joint=make_joint(texts, image_lengths, kernel, max(padding.longest, 2 * padding.multiple) if padding else None),
    )


def to_device(x: Tensor, device: torch.device | str) -> Tensor:
    """``x`` on ``device``; to CUDA through pinned memory, because a copy from any other makes the CPU wait its turn."""
    if torch.device(device).type == "cuda" and x.device.type == "cpu":
        x = x.pin_memory()
    return x.to(device, non_blocking=True)


@lru_cache(256)  # a training has few sizes, and asks for each of them in every step
def image_positions(frame: int, h: int, w: int) -> np.ndarray:
    """(h * w, 3) MSRoPE coordinates of image number ``frame``: rows and columns centered on 0 (report, section 2.4).
    Read only."""
    rows, columns = np.arange(h) - (h - h // 2), np.arange(w) - (w - w // 2)
    grid = np.broadcast_arrays(np.float32(frame), rows[:, None], columns[None, :])
    positions = np.stack(grid, axis=-1).reshape(h * w, 3).astype(np.float32)
    positions.flags.writeable = False
    return positions


def text_start(sizes: Sequence[Size]) -> int:
    """First position of the text: just outside the largest image of the sample, the same on all three axes."""
    return max(max(h // 2, w // 2) for h, w in sizes)


def _check(text_lengths: Sequence[int], images: Sequence[Sequence[Size]], padding: Padding | None) -> None:
    if len(text_lengths) != len(images) or len(images) == 0:
        raise ValueError(
            f"layout: {len(text_lengths)} texts for {len(images)} samples' images; give one or more, as many"
        )
    for i, (n, sizes) in enumerate(zip(text_lengths, images, strict=True)):
        if n < 1:
            raise ValueError(f"layout: sample {i} has a text of {n} tokens; at least 1 is needed")
        if any(len(size) != 2 for size in sizes):
            raise ValueError(f"layout: sample {i} has images {list(sizes)}; each must be (h, w)")
        if any(number != int(number) for number in (n, *(side for size in sizes for side in size))):
            raise ValueError(f"layout: sample {i} has {n} tokens and images {list(sizes)}; whole numbers are needed")
        if not len(sizes) or any(h < 1 or w < 1 for h, w in sizes):
            raise ValueError(
                f"layout: sample {i} has images {list(sizes)}; every (h, w) must be at least (1, 1) patches"
            )

    if padding and len(text_lengths) > padding.samples:
        raise ValueError(f"layout: {len(text_lengths)} samples; padding.samples allows {padding.samples}")
    for i, (n, sizes) in enumerate(zip(text_lengths, images, strict=True)):
        tokens = n + sum(h * w for h, w in sizes)
        if padding and tokens > padding.longest:
            raise ValueError(f"layout: sample {i} has {tokens} tokens; padding.longest allows {padding.longest}")


def _filled(lengths: np.ndarray, padding: Padding) -> np.ndarray:
    """(padding.samples + 1,) lengths: the samples', zeros, and the dummy's, which fills up to the multiple."""
    out = np.zeros(padding.samples + 1, np.int64)
    out[: len(lengths)] = lengths
    out[-1] = -lengths.sum() % padding.multiple
    return out


def _extended(positions: np.ndarray, count: int) -> np.ndarray:
    return np.pad(positions, ((0, count - len(positions)), (0, 0)))


def _text_positions(texts: np.ndarray, sizes: list[list[Size]]) -> np.ndarray:
    starts = np.repeat([text_start(sample) for sample in sizes], texts)
    within = np.arange(texts.sum()) - np.repeat(np.cumsum(texts) - texts, texts)
    return np.repeat((starts + within)[:, None], 3, axis=1).astype(np.float32)


def _image_positions(sizes: list[list[Size]]) -> np.ndarray:
    return np.concatenate([image_positions(frame, h, w) for s in sizes for frame, (h, w) in enumerate(s)])


def _rows(ids: np.ndarray, lengths: np.ndarray, fixed: bool) -> RowIndex:
    alike = not fixed and bool(
        (lengths == lengths[0]).all()
    )  # a layout of fixed size has no ``run``, which would compile another graph
    return RowIndex(torch.from_numpy(ids), int(lengths[0]) if alike else None)


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
