"""A mask's picture becomes weights of tokens in the order of patches, with a mean of 1."""

from __future__ import annotations

import numpy as np
import torch

from model.latents import patchify
from trainer.data.mask import token_weights
from trainer.data.resize import resize_to_cover


def test_weights_lie_where_the_patches_of_the_picture_lie() -> None:
    """Against ``patchify``, on latents that hold the mask itself: 8 px to a latent, 2 x 2 of them to a token."""
    mask = np.random.default_rng(0).integers(256, size=(48, 80), dtype=np.uint8)
    latents = torch.from_numpy(mask.reshape(6, 8, 10, 8).mean(axis=(1, 3)))[None, None].repeat(1, 16, 1, 1)
    right = patchify(latents)[0].mean(dim=1).numpy()
    weights = token_weights(mask)
    assert weights.shape == (3 * 5,)
    assert np.allclose(weights, right / right.mean(), rtol=1e-6)


def test_small_and_large_masks_have_a_mean_of_one() -> None:
    mask = np.zeros((64, 64, 3), np.uint8)
    mask[:16, 16:32] = 255
    weights = token_weights(mask)
    assert weights[1] == 16
    assert weights.sum() == 16
    some = token_weights(mask, outside=0.25)
    assert np.isclose(some.mean(), 1)
    assert np.isclose(some[0] / some[1], 0.25)
    assert not token_weights(np.zeros((32, 32), np.uint8)).any()
    assert (token_weights(np.full((32, 32), 255, np.uint8)) == 1).all()


def test_a_mask_goes_through_the_crop_of_its_picture() -> None:
    mask = np.zeros((100, 300, 3), np.uint8)
    mask[:, 100:200] = 255  # the middle third, which a square crop keeps
    assert np.allclose(token_weights(resize_to_cover(mask, (64, 64))), 1, atol=0.02)
