"""Streams are merged for attention and come back, and so do their gradients."""

from __future__ import annotations

import pytest
import torch

from model.attention import merge, reorder, restore, split_streams
from model.layout import Padding, make_layout

TEXTS, IMAGES = [3, 7, 1], [[(2, 3)], [(4, 2), (1, 2)], [(3, 3)]]


@pytest.mark.parametrize("kernel", ["rectangles", "varlen"])
@pytest.mark.parametrize("padding", [None, Padding(samples=4, longest=32, multiple=16)])
def test_tokens_and_gradients_come_back_to_their_places(kernel, padding):
    layout = make_layout(TEXTS, IMAGES, kernel, padding)
    generator = torch.Generator().manual_seed(0)
    text, image = (
        torch.randn(n, 2, 4, dtype=torch.float64, generator=generator, requires_grad=True)
        for n in (layout.n_text, layout.n_image)
    )
    joined = merge(text, image, layout.joint)
    text_back, image_back = split_streams(joined.flatten(1), layout.joint, layout.n_text)
    assert torch.equal(text_back, text.flatten(1))
    assert torch.equal(image_back, image.flatten(1))
    weights = [torch.randn(x.shape, dtype=x.dtype, generator=generator) for x in (text_back, image_back)]
    gradients = torch.autograd.grad((text_back * weights[0]).sum() + (image_back * weights[1]).sum(), (text, image))
    for gradient, weight in zip(gradients, weights, strict=True):
        assert torch.equal(gradient.flatten(1), weight)


@pytest.mark.parametrize("kernel", ["rectangles", "varlen"])
def test_the_gradient_of_an_order_is_autograds(kernel):
    """Where padding takes a token several times, too: its gradients add up."""
    joint = make_layout(TEXTS, IMAGES, kernel).joint
    for queries in (joint.every, joint.image):
        x = torch.randn(len(queries.inverse), 3, dtype=torch.float64, requires_grad=True)
        out = reorder(x, queries)
        assert torch.equal(restore(out, queries), x)
        weight = torch.randn(out.shape, dtype=x.dtype)
        (ours,) = torch.autograd.grad((out * weight).sum(), x)
        (theirs,) = torch.autograd.grad((x[queries.order] * weight).sum(), x)
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-15)
