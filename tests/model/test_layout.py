"""Packing: every token has one place, padding stays within its limit, bad lengths are named."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.attention import merge, reorder, restore, split_streams
from model.joint import PADDING_LIMIT
from model.layout import Padding, make_layout

sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))
samples = st.lists(st.tuples(st.integers(1, 12), st.lists(sizes, min_size=1, max_size=3)), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(samples, st.sampled_from(["rectangles", "varlen", "flex"]), st.booleans(), st.sampled_from([None, 8]))
def test_streams_merge_and_part_without_loss(drawn: Any, kernel: Any, alike: bool, multiple: int | None) -> None:
    drawn = [drawn[0]] * len(drawn) if alike else drawn
    texts, images = [n for n, _ in drawn], [sample for _, sample in drawn]
    padding = Padding(len(texts) + 2, 200, multiple) if multiple else None
    layout = make_layout(texts, images, kernel, padding)
    real = (sum(texts), sum(h * w for s in images for h, w in s))
    assert (layout.n_text, layout.n_image) == tuple(math.ceil(n / (multiple or 1)) * (multiple or 1) for n in real)
    text = torch.arange(layout.n_text)[:, None, None].float()
    image = 1000.0 + torch.arange(layout.n_image)[:, None, None]
    joint = merge(text, image, layout.joint)
    assert kernel != "rectangles" or len(joint) == sum(g * s for g, s in layout.joint.every.rectangles)
    back = split_streams(joint, layout.joint, layout.n_text)
    assert torch.equal(back[0], text)
    assert torch.equal(back[1], image)
    assert torch.equal(restore(reorder(image, layout.joint.image), layout.joint.image), image)


@settings(max_examples=60, deadline=None)
@given(samples)
def test_padding_is_limited_and_masked(drawn: Any) -> None:
    texts, images = [n for n, _ in drawn], [sample for _, sample in drawn]
    joint = make_layout(texts, images).joint
    assert len(joint.masks) == len(joint.every.rectangles) == len(joint.image.rectangles)
    real = 0
    for (count, longest), mask in zip(joint.every.rectangles, joint.masks, strict=True):
        kept = count * longest if mask is None else int(mask.sum())
        assert count * longest <= PADDING_LIMIT * kept
        real += kept
    assert real == sum(texts) + sum(h * w for s in images for h, w in s)


def test_cumulative_lengths_are_text_and_image_of_each_sample() -> None:
    texts, images = [2, 5], [[(2, 2)], [(1, 3), (1, 1)]]
    joint = make_layout(texts, images, "varlen").joint
    assert joint.every.cu_seqlens.tolist() == [0, 6, 15]
    assert joint.image.cu_seqlens.tolist() == [0, 4, 8]
    assert joint.every.cu_seqlens.dtype == torch.int32
    assert (joint.every.longest, joint.image.longest) == (9, 4)


def test_padding_makes_shapes_that_do_not_depend_on_the_samples() -> None:
    padding = Padding(samples=4, longest=50, multiple=16)
    joint = make_layout([2, 5], [[(2, 2)], [(1, 3), (1, 1)]], "varlen", padding).joint
    other = make_layout([1, 1, 2], [[(2, 3)], [(1, 3), (1, 1)], [(2, 3)]], "varlen", padding).joint
    assert joint.every.cu_seqlens.tolist() == [0, 6, 15, 15, 15, 32]
    assert joint.image.cu_seqlens.tolist() == [0, 4, 8, 8, 8, 16]
    for a, b in ((joint.every, other.every), (joint.image, other.image)):
        assert a.longest == b.longest == 50
        assert a.order is not None
        assert b.order is not None
        assert a.order.shape == b.order.shape
        assert a.cu_seqlens.shape == b.cu_seqlens.shape


@pytest.mark.parametrize(
    ("texts", "images", "message"),
    [
        ([], [], "0 texts"),
        ([3], [[(1, 1)], [(1, 1)]], "1 texts for 2"),
        ([3, 0], [[(1, 1)], [(1, 1)]], "sample 1 has a text of 0"),
        ([3, 4], [[(1, 1)], []], "sample 1 has images"),
        ([3], [[(1, 1), (0, 4)]], "sample 0 has images"),
        ([2.5], [[(1, 1)]], "whole numbers"),
        ([2], [[(1, 1, 1)]], r"must be \(h, w\)"),
    ],
)
def test_empty_parts_are_named(texts: list[int], images: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_layout(texts, images)


def test_arrays_will_do_for_lists() -> None:
    listed = make_layout([3, 4], [[(1, 2), (2, 2)], [(2, 1), (1, 1)]])
    arrays = make_layout(np.array([3, 4]), np.array([[(1, 2), (2, 2)], [(2, 1), (1, 1)]]))  # type: ignore[arg-type]
    assert (arrays.text_lengths, arrays.images) == (listed.text_lengths, listed.images)
    assert torch.equal(arrays.image_positions, listed.image_positions)


@pytest.mark.parametrize(
    ("padding", "message"),
    [
        (Padding(samples=1, longest=99), "2 samples; padding.samples allows 1"),
        (Padding(samples=2, longest=9), "sample 1 has 10 tokens; padding.longest allows 9"),
    ],
)
def test_what_padding_has_no_room_for_is_named(padding: Padding, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_layout([1, 4], [[(2, 2)], [(2, 2), (1, 2)]], padding=padding)


def test_a_padding_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match=r"padding\.multiple is 0"):
        Padding(samples=1, longest=1, multiple=0)
