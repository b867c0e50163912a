"""How the text and image streams merge for attention, where every sample is one sequence [text, image].

Tokens of the stream [all text | all images] are taken in ``order`` and come back by ``inverse``.
The order depends on the kernel that will read it:

    rectangles  a few rectangles of samples of like length, the slots that pad are masked; where all
                samples have the same lengths, plain views do it and ``order`` is not needed    (CPU)
    varlen      sample by sample, nothing padded, limits in ``cu_seqlens``         (CUDA, half precision)
    flex        the same order, limits in a block mask                               (CUDA, otherwise)

``TokenOrder`` describes one such order. There are two of them: all tokens, and the image tokens alone,
which is all that the last block asks for.

A compiled block asks every field whether it is what it was (torch 2.11 does, also those that it does not read). So what
CUDA's kernels get holds no number that differs from batch to batch, outside of tensors and ``longest``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

# Chosen: padding up to a quarter of a rectangle costs less on a CPU than another attention call.
PADDING_LIMIT = 1.25

Kernel = Literal["rectangles", "varlen", "flex"]


@dataclass(frozen=True)
class TokenOrder:
    """An order of tokens, K of them with padding. Indices are into the stream that is reordered."""

    order: Tensor | None  # (K,) int64; None where all samples have equal lengths: a view is enough
    inverse: Tensor | None  # (N,) int64: undoes ``order``
    padded: bool  # whether ``order`` takes tokens besides each once
    rectangles: tuple[tuple[int, int], ...]  # (samples, tokens of each): the K tokens cut up; other kernels: ()
    cu_seqlens: Tensor  # (B + 1,) int32: limits of the samples, taken one by one
    longest: int  # tokens of a sample, at most
    samples: Tensor | None  # flex: (K,) int32, which sample a token belongs to
    block_mask: Any = None  # flex: which blocks of queries and keys meet


@dataclass(frozen=True)
class JointLayout:
    every: TokenOrder  # of [all text | all images]; keys and values are always these
    image: TokenOrder  # of the image stream
    masks: tuple[Tensor | None, ...]  # per rectangle (G, 1, 1, S) bool, True where a key is real; None: all are
    text_run: int | None  # text tokens per sample when samples are alike
    kernel: Kernel

    def with_block_masks(self) -> JointLayout:
        """Ready for the flex kernel, on the device where the indices are; waits for nothing."""
        masks = [_block_mask(queries, self.every) for queries in (self.every, self.image)]
        every, image = (
            dataclasses.replace(queries, block_mask=mask)
            for queries, mask in zip((self.every, self.image), masks, strict=True)
        )
        return dataclasses.replace(self, every=every, image=image)


def make_joint(texts: np.ndarray, images: np.ndarray, kernel: Kernel, longest: int | None = None) -> JointLayout:
    """From the (B,) lengths of texts and images; ``longest`` stands in for the greatest sum of both."""
    n_text = int(texts.sum())
    sequences = _sequences(texts, images)
    alone = [sequence[n:] - n_text for sequence, n in zip(sequences, texts, strict=True)]
    alike = kernel == "rectangles" and bool((texts == texts[0]).all() and (images == images[0]).all())
    if alike:
        groups = [list(range(len(texts)))]
    elif kernel == "rectangles":
        groups = _like_lengths(texts + images)
    else:
        groups = [[i] for i in range(len(texts))]
    groups = [group for group in groups if any(len(sequences[i]) for i in group)]
    real = [_real([len(sequences[i]) for i in group]) for group in groups if kernel == "rectangles"]
    return JointLayout(
        every=_queries(sequences, groups, alike, kernel, longest),
        image=_queries(alone, groups, alike, kernel, longest),
        masks=tuple(None if r.all() else torch.from_numpy(r[:, None, None, :]) for r in real),
        text_run=int(texts[0]) if alike else None,
        kernel=kernel,
    )


def _block_mask(queries: TokenOrder, keys: TokenOrder) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    asking, asked = queries.samples, keys.samples
    assert asking is not None
    assert asked is not None

    def same_sample(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return asking[query] == asked[key]

    return create_block_mask(same_sample, None, None, len(asking), len(asked), device=str(asking.device))


def _sequences(texts: np.ndarray, images: np.ndarray) -> list[np.ndarray]:
    """Each sample's tokens [text, image] as indices into [all text | all images]."""
    text_starts, image_starts = np.cumsum(texts) - texts, np.cumsum(images) - images + texts.sum()
    return [
        np.concatenate([np.arange(t, t + n), np.arange(i, i + m)])
        for t, n, i, m in zip(text_starts, texts, image_starts, images, strict=True)
    ]


def _queries(
    sequences: list[np.ndarray], groups: list[list[int]], by_view: bool, kernel: Kernel, longest: int | None
) -> TokenOrder:
    """The groups' rectangles one after the other; padding takes token 0, whose result nobody reads."""
    lengths = np.array([len(s) for s in sequences])
    rectangles = [_rectangle([sequences[i] for i in group]) for group in groups]
    order = np.concatenate([r.ravel() for r in rectangles])
    real = np.concatenate([_real([len(sequences[i]) for i in group]).ravel() for group in groups])
    inverse = np.empty(int(lengths.sum()), np.int64)
    inverse[order[real]] = np.flatnonzero(real)
    return TokenOrder(
        order=None if by_view else torch.from_numpy(order),
        inverse=None if by_view else torch.from_numpy(inverse),
        padded=not bool(real.all()),
        rectangles=tuple((r.shape[0], r.shape[1]) for r in rectangles) if kernel == "rectangles" else (),
        cu_seqlens=torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)),
        longest=longest or int(lengths.max()),
        samples=torch.from_numpy(np.repeat(np.arange(len(lengths), dtype=np.int32), lengths))
        if kernel == "flex"
        else None,
    )


def _like_lengths(lengths: np.ndarray) -> list[list[int]]:
    """Samples from short to long, cut where padding to the longest would exceed PADDING_LIMIT."""
    parts: list[list[int]] = []
    total = 0
    for i in np.argsort(lengths, kind="stable").tolist():
        total += int(lengths[i])
        if parts and (len(parts[-1]) + 1) * lengths[i] <= PADDING_LIMIT * total:
            parts[-1].append(i)
        else:
            parts.append([i])
            total = int(lengths[i])
    return parts


def _rectangle(sequences: list[np.ndarray]) -> np.ndarray:
    out = np.zeros((len(sequences), max(len(s) for s in sequences)), np.int64)
    for row, sequence in zip(out, sequences, strict=True):
        row[: len(sequence)] = sequence
    return out


def _real(lengths: list[int]) -> np.ndarray:
    """(G, S) bool: which slots of the rectangle hold a token."""
    return np.arange(max(lengths)) < np.array(lengths)[:, None]
