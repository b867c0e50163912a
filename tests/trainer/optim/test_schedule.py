"""The rate over a run: warm-up, cosine, and a last step that counts."""

import pytest

from trainer.optim.config import OptimizerConfig
from trainer.optim.schedule import rate


@pytest.mark.parametrize("steps", [1, 2, 1000])
def test_every_step_moves_the_weights(steps):
    config = OptimizerConfig(warmup=0, final=0.0)
    rates = [rate(step, steps, config) for step in range(steps)]
    assert min(rates) > 0
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == config.lr


def test_warm_up_and_floor():
    config = OptimizerConfig(lr=1.0, warmup=10, final=0.1)
    assert rate(0, 10**6, config) == pytest.approx(0.1)
    assert rate(9, 10**6, config) == pytest.approx(1.0)
    assert rate(10**6 - 1, 10**6, config) == pytest.approx(0.1)
    assert rate(500, 1000, OptimizerConfig(lr=1.0, warmup=0), factor=0.5) == pytest.approx(0.25)
