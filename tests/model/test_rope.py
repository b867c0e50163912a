"""MSRoPE tables against diffusers' QwenEmbedRope, and their coordinates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.layout import image_positions, make_layout, text_start
from model.rope import norm_rotate, rope_table

AXES = (16, 56, 56)  # the released model's


@pytest.mark.parametrize("images", [[(16, 16)], [(83, 83)], [(58, 104), (7, 5), (1, 9)]])
def test_tables_equal_diffusers(images: list[tuple[int, int]]) -> None:
    from diffusers.models.transformers.transformer_qwenimage import QwenEmbedRope

    theirs = QwenEmbedRope(theta=10000, axes_dim=list(AXES), scale_rope=True)
    image, text = theirs([[(1, h, w) for h, w in images]], torch.device("cpu"), max_txt_seq_len=40)
    layout = make_layout([40], [images])
    for positions, expected in ((layout.image_positions, image), (layout.text_positions, text)):
        ours = torch.view_as_complex(rope_table(positions, AXES).squeeze(1))
        assert (ours - expected).abs().max() < 1e-6


def test_positions_are_centered_and_the_text_starts_outside_the_largest_image() -> None:
    positions = image_positions(2, 3, 4)
    assert positions[:, 0].tolist() == [2] * 12
    assert positions[::4, 1].tolist() == [-2, -1, 0]  # -(H - H//2) .. H//2 - 1
    assert positions[:4, 2].tolist() == [-2, -1, 0, 1]
    assert text_start([(3, 4)]) == 2
    assert text_start([(3, 4), (2, 10)]) == 5


def test_positions_are_per_sample_not_the_first_samples() -> None:
    """The bug of diffusers#12294: a batch of unlike sizes turned by the first one's table."""
    layout = make_layout([2, 3], [[(2, 3)], [(5, 4), (1, 8)]])
    assert layout.text_positions.tolist() == [[p] * 3 for p in (1, 2, 4, 5, 6)]
    expected = [image_positions(0, 2, 3), image_positions(0, 5, 4), image_positions(1, 1, 8)]
    assert torch.equal(layout.image_positions, torch.from_numpy(np.concatenate(expected)))


def plainly(x: torch.Tensor, weight: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """The formula as written in the docstring, with real halves."""
    normed = x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * weight
    cos, sin = table.to(x.dtype).unbind(-1)
    real, imaginary = normed.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((real * cos - imaginary * sin, real * sin + imaginary * cos), dim=-1).flatten(-2)


@pytest.mark.parametrize("real", [False, True])
def test_norm_and_rotation_with_their_written_out_gradients(real: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if real:  # what runs on a GPU
        monkeypatch.setattr("model.rope._by_complex_numbers", lambda device: False)
    x = torch.randn(5, 2, 32, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(32, dtype=torch.float64, requires_grad=True)
    table = rope_table(torch.randn(5, 3) * 20, (4, 14, 14))
    ours, expected = norm_rotate(x, weight, table), plainly(x, weight, table)
    assert torch.allclose(ours, expected, atol=1e-12)
    upstream = torch.randn(32, 2, 5, dtype=torch.float64).permute(2, 1, 0)  # not contiguous, as attention's is
    for a, b in zip(*(torch.autograd.grad(y, (x, weight), upstream) for y in (ours, expected)), strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_half_precision_is_rounded_once() -> None:
    x, weight = torch.randn(64, 2, 32).bfloat16(), torch.randn(32).bfloat16()
    table = rope_table(torch.randn(64, 3) * 20, (4, 14, 14))
    ours = norm_rotate(x, weight, table)
    assert ours.dtype == torch.bfloat16
    exact = plainly(x.float(), weight.float(), table)
    assert ((ours.float() - exact).abs() <= exact.abs() * 2**-8 + 1e-6).all()
