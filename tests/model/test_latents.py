"""Patches of latents against the diffusers pipeline."""

from __future__ import annotations

import pytest
import torch

from model.latents import patchify, tokens_of, unpatchify


def test_patches_equal_the_pipelines_and_come_back() -> None:
    from diffusers import QwenImagePipeline

    latents = torch.randn(2, 16, 6, 10)
    tokens = patchify(latents)
    assert torch.equal(tokens, QwenImagePipeline._pack_latents(latents, 2, 16, 6, 10))
    assert torch.equal(unpatchify(tokens, 3, 5), latents)


@pytest.mark.parametrize(("height", "width"), [(63, 64), (64, 40), (0, 64), (64, -16)])
def test_sizes_must_be_multiples_of_16(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"{width} x {height}"):
        tokens_of(height, width)
    assert tokens_of(64, 32) == (4, 2)


def test_odd_latents_and_wrong_counts_are_errors() -> None:
    with pytest.raises(ValueError, match="even"):
        patchify(torch.zeros(1, 16, 3, 4))
    with pytest.raises(ValueError, match="7 tokens"):
        unpatchify(torch.zeros(1, 7, 64), 2, 4)
