"""The shift's golden numbers, and the sampler's ladder against diffusers' scheduler."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from model.schedule import QWEN_IMAGE, mu, shift, sigmas
from tests.tolerance import rounding


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(256, 256, 0.500), (640, 640, 0.568), (1024, 1024, 0.694), (1328, 1328, 0.834), (1664, 928, 0.791)],
)
def test_mu_of_the_released_resolutions(width: int, height: int, expected: float) -> None:
    assert mu((width // 16) * (height // 16)) == pytest.approx(expected, abs=5e-4)  # printed to three digits


@pytest.mark.parametrize(("steps", "tokens"), [(50, 4096), (20, 16), (4, 8192), (2, 256)])
def test_ladder_equals_the_scheduler(steps: int, tokens: int) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, **dataclasses.asdict(QWEN_IMAGE))
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu(tokens))
    ours = sigmas(steps, tokens)
    assert ours.dtype == np.float32
    assert np.array_equal(ours, scheduler.sigmas.numpy())
    assert ours[-2] == pytest.approx(0.02, abs=rounding(4))  # 1 minus a quotient of numbers up to 1


def test_one_step_goes_from_noise_to_picture() -> None:
    assert sigmas(1, 256).tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="steps"):
        sigmas(0, 256)


def test_shift_keeps_the_ends_and_the_order_and_broadcasts() -> None:
    sigma = torch.tensor([1e-6, 0.25, 0.5, 1.0])
    shifted = shift(sigma, mu(4096))
    assert torch.all(shifted.diff() > 0)
    assert torch.all(shifted >= sigma)
    assert shifted[-1] == 1
    both = shift(sigma[:, None], torch.tensor([mu(256), mu(4096)]))
    assert torch.allclose(both[:, 1], shifted, rtol=rounding(4), atol=0)
    assert float(shift(0.5, 0.0)) == 0.5
