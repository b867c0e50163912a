"""MSRoPE tables against diffusers' QwenEmbedRope, and their coordinates."""

from __future__ import annotations

import pytest
import torch

from model.layout import image_positions, make_layout, text_start
from model.rope import rope_table, rotate

AXES = (16, 56, 56)  # the released model's


@pytest.mark.parametrize("images", [[(16, 16)], [(83, 83)], [(58, 104), (7, 5), (1, 9)]])
def test_tables_equal_diffusers(images: list[tuple[int, int]]) -> None:
    from diffusers.models.transformers.transformer_qwenimage import QwenEmbedRope

    theirs = QwenEmbedRope(theta=10000, axes_dim=list(AXES), scale_rope=True)
    image, text = theirs([[(1, h, w) for h, w in images]], torch.device("cpu"), max_txt_seq_len=40)
    joint = make_layout([40], [images]).joint
    ours = torch.view_as_complex(rope_table(joint.every.positions, AXES).squeeze(1))
    assert (ours - torch.cat((text, image))).abs().max() < 1e-6
    alone = torch.view_as_complex(rope_table(joint.image.positions, AXES).squeeze(1))
    assert (alone - image).abs().max() < 1e-6


def test_positions_are_centred_and_the_text_starts_outside_the_largest_image() -> None:
    positions = image_positions(2, 3, 4)
    assert positions[:, 0].tolist() == [2] * 12
    assert positions[::4, 1].tolist() == [-2, -1, 0]  # -(H - H//2) .. H//2 - 1
    assert positions[:4, 2].tolist() == [-2, -1, 0, 1]
    assert text_start([(3, 4)]) == 2
    assert text_start([(3, 4), (2, 10)]) == 5


def test_positions_are_per_sample_not_the_first_samples() -> None:
    """The bug of diffusers#12294: a batch of unlike sizes turned by the first one's table."""
    layout = make_layout([2, 3], [[(2, 3)], [(5, 4), (1, 8)]])
    for queries, expected in ((layout.joint.every, True), (layout.joint.image, False)):
        assert queries.inverse is not None
        positions = queries.positions[queries.inverse]
        text = positions[:5] if expected else positions[:0]
        assert text.tolist() == [[p] * 3 for p in (1, 2, 4, 5, 6)][: len(text)]
        second = positions[len(text) + 6 :]
        assert torch.equal(second[:20], torch.from_numpy(image_positions(0, 5, 4)))
        assert torch.equal(second[20:], torch.from_numpy(image_positions(1, 1, 8)))


def test_real_and_complex_rotation_agree() -> None:
    x = torch.randn(5, 2, 32)
    table = rope_table(torch.randn(5, 3) * 20, (4, 14, 14))
    cos, sin = table.unbind(-1)
    real, imaginary = x.unflatten(-1, (-1, 2)).unbind(-1)
    by_hand = torch.stack((real * cos - imaginary * sin, real * sin + imaginary * cos), dim=-1).flatten(-2)
    assert torch.allclose(rotate(x, table), by_hand, atol=1e-6)
    assert torch.allclose(rotate(x, table).norm(dim=-1), x.norm(dim=-1), atol=1e-5)
