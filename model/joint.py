"""How the text and image streams merge for attention, where every sample is one sequence [text, image].

Tokens of the stream [all text | all images] are taken in ``order`` and come back by ``inverse``.
Three orders, from the lengths:

    alike    all samples have the same lengths: plain views, ``order`` is not needed
    padded   a few rectangles of samples of like length; the slots that pad are masked    (any device)
    varlen   sample by sample, nothing padded, limits in ``cu_seqlens``                   (CUDA kernel)

``Queries`` describes one such order. There are two of them: all tokens, and the image tokens alone,
which is all that the last block asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Ours: padding up to a quarter of a rectangle costs less on a CPU than another attention call.
PADDING_LIMIT = 1.25


@dataclass(frozen=True)
class Queries:
    """An order of tokens, K of them with padding. Indices are into the stream that is reordered."""

    order: Tensor | None  # (K,) int64; None: samples alike, a view does it
    inverse: Tensor | None  # (N,) int64: the way back
    rectangles: tuple[tuple[int, int], ...]  # (samples, tokens of each): the K tokens cut up; one if samples are alike
    cu_seqlens: Tensor  # (B + 1,) int32: limits of the samples in varlen order
    longest: int


@dataclass(frozen=True)
class Joint:
    every: Queries  # of [all text | all images]; keys and values are always these
    image: Queries  # of the image stream
    masks: tuple[Tensor | None, ...]  # per rectangle (G, 1, 1, S) bool, True where a key is real; None: all are
    n_text: int  # tokens of the text stream
    text_run: int | None  # text tokens per sample when samples are alike
    varlen: bool


def make_joint(texts: np.ndarray, images: np.ndarray, varlen: bool) -> Joint:
    """From the (B,) lengths of texts and images."""
    n_text = int(texts.sum())
    sequences = _sequences(texts, images)
    alone = [sequence[n:] - n_text for sequence, n in zip(sequences, texts, strict=True)]
    alike = bool((texts == texts[0]).all() and (images == images[0]).all())
    groups = [[i] for i in range(len(texts))] if varlen else _like_lengths(texts + images)
    if alike and not varlen:
        groups = [list(range(len(texts)))]
    real = [_real([len(sequences[i]) for i in group]) for group in groups]
    return Joint(
        every=_queries(sequences, groups, by_view=alike and not varlen),
        image=_queries(alone, groups, by_view=alike and not varlen),
        masks=tuple(None if r.all() else torch.from_numpy(r[:, None, None, :]) for r in real),
        n_text=n_text,
        text_run=int(texts[0]) if alike and not varlen else None,
        varlen=varlen,
    )


def _sequences(texts: np.ndarray, images: np.ndarray) -> list[np.ndarray]:
    """Each sample's tokens [text, image] as indices into [all text | all images]."""
    text_starts, image_starts = np.cumsum(texts) - texts, np.cumsum(images) - images + texts.sum()
    return [
        np.concatenate([np.arange(t, t + n), np.arange(i, i + m)])
        for t, n, i, m in zip(text_starts, texts, image_starts, images, strict=True)
    ]


def _queries(sequences: list[np.ndarray], groups: list[list[int]], by_view: bool) -> Queries:
    """The groups' rectangles one after the other; padding takes token 0, whose result nobody reads."""
    lengths = np.array([len(s) for s in sequences])
    rectangles = [_rectangle([sequences[i] for i in group]) for group in groups]
    order = np.concatenate([r.ravel() for r in rectangles])
    real = np.concatenate([_real([len(sequences[i]) for i in group]).ravel() for group in groups])
    inverse = np.empty(int(lengths.sum()), np.int64)
    inverse[order[real]] = np.flatnonzero(real)
    return Queries(
        order=None if by_view else torch.from_numpy(order),
        inverse=None if by_view else torch.from_numpy(inverse),
        rectangles=tuple((r.shape[0], r.shape[1]) for r in rectangles),
        cu_seqlens=torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)),
        longest=int(lengths.max()),
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
