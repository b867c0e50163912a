"""Sums over samples: a mixed micro-batch has the gradients of its samples alone, weights count, a dummy counts nothing."""

from __future__ import annotations

import pytest
import torch

from model.mmdit import MMDiT
from tests.model.reference import SMALL, difference, gradient_error, pair
from trainer.loss import MicroBatch, dummy, micro_batch, sample_losses
from trainer.rng import KeyedRandom
from trainer.tasks.base import Encoded

CPU = torch.device("cpu")
SIZES = (((4, 4),), ((3, 5), (2, 2)), ((4, 2), (3, 3), (2, 4)), ((2, 6), (2, 2), (4, 4), (1, 3)), ((4, 4), (4, 4)))


def sample(number: int, weights: torch.Tensor | None = None) -> Encoded:
    generator = torch.Generator().manual_seed(number)
    images = tuple(torch.randn(h * w, 64, generator=generator) for h, w in SIZES[number])
    return Encoded(
        torch.randn(3 + number, SMALL.joint_attention_dim, generator=generator), images, SIZES[number], weights
    )


def batch(samples: list[Encoded], slots: list[int]) -> MicroBatch:
    sigma = torch.linspace(0.1, 0.9, len(SIZES), dtype=torch.float64)
    return micro_batch(samples, slots, sigma, KeyedRandom(1, 2, len(SIZES)), CPU)


def gradients(model: MMDiT) -> torch.Tensor:
    found = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    model.zero_grad()
    return found


def test_gradients_of_a_mixed_micro_batch_are_the_sum_of_its_samples() -> None:
    model, _ = pair(SMALL)
    slots = [3, 0, 4, 1, 2]
    together = sample_losses(model, batch([sample(s) for s in slots], slots), None)
    together.sum().backward()
    expected = gradients(model)
    alone = []
    for slot in slots:
        alone.append(sample_losses(model, batch([sample(slot)], [slot]), None))
        alone[-1].sum().backward()
    assert difference(torch.cat(alone).detach(), together.detach()) < gradient_error(SMALL)
    assert difference(gradients(model), expected) < gradient_error(SMALL)


def test_padding_to_common_shapes_changes_no_loss_and_no_gradient() -> None:
    model, _ = pair(SMALL)
    slots = [3, 0, 4, 1, 2]
    samples, sigma = [sample(s) for s in slots], torch.linspace(0.1, 0.9, len(SIZES), dtype=torch.float64)
    found = []
    for fixed in (False, True):
        micro = micro_batch(samples, slots, sigma, KeyedRandom(1, 2, len(SIZES)), CPU, None, fixed)
        losses = sample_losses(model, micro, None)
        losses.sum().backward()
        found.append((losses.detach(), gradients(model), micro.layout))
    assert found[1][2].n_image % 256 == found[1][2].n_text % 256 == 0
    assert difference(found[1][0], found[0][0]) < gradient_error(SMALL)
    assert difference(found[1][1], found[0][1]) < gradient_error(SMALL)


def test_weights_count_tokens_of_their_sample_alone() -> None:
    model, _ = pair(SMALL)
    half = torch.tensor([2.0] * 8 + [0.0] * 8)
    weighted = sample_losses(model, batch([sample(0, half), sample(1)], [0, 1]), None).detach()
    plain = batch([sample(0), sample(1)], [0, 1])
    error = (model(plain.images, plain.text, plain.sigma, plain.layout)[plain.layout.target] - plain.target).square()
    assert weighted[0].item() == pytest.approx(error[:8].mean().item(), rel=1e-6)
    assert weighted[1].item() == pytest.approx(error[16:].mean().item(), rel=1e-6)


def test_a_dummy_runs_and_its_gradients_are_zeros() -> None:
    model, _ = pair(SMALL)
    nothing = dummy(SMALL.in_channels, SMALL.joint_attention_dim, CPU, torch.float32)
    assert nothing.slots == []
    (sample_losses(model, nothing, None).sum() * 0.0).backward()
    assert gradients(model).abs().max() == 0
