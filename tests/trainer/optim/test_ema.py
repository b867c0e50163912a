"""Averaged weights: off, on the host, of bf16 weights, and applied for a while."""

import pytest
import torch

from tests.trainer.optim.networks import Training, apart, network
from trainer.optim.config import OptimizerConfig
from trainer.optim.ema import EMA, make_average


@pytest.mark.parametrize("decay", [None, 0, 0.0])
def test_off_keeps_nothing_and_gives_the_models_own(decay):
    model = network()
    average = EMA(model, decay)
    average.update(model, 5)
    assert average.weights == {}
    assert apart(average.state(model), model.state_dict()) == 0
    with average.applied(model):
        pass


@pytest.mark.parametrize("where", ["device", "host"])
@pytest.mark.parametrize("weights", ["fp32", "bf16"])
def test_the_average_of_bf16_weights_is_kept_in_fp32(where, weights):
    training = Training(OptimizerConfig(weights=weights, in_backward=True, lr=1e-3))
    average = make_average(training.model, 0.5, where)
    expected = {n: w.float().clone() for n, w in training.weights().items() if n in average.weights}
    for step in range(8):
        training.run(1)
        average.update(training.model, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = {n: e.lerp(training.weights()[n].float(), 1 - decay) for n, e in expected.items()}
    assert {w.dtype for w in average.weights.values()} == {torch.float32}
    assert {w.device.type for w in average.weights.values()} == {"cpu"}
    assert apart(average.weights, expected) < 1e-4


@pytest.mark.parametrize("weights", ["fp32", "bf16"])
def test_applied_leaves_model_and_average_as_they_were(weights):
    training = Training(OptimizerConfig(weights=weights, in_backward=True, lr=1e-3))
    average = EMA(training.model, 0.9)
    training.run(3)
    average.update(training.model, 2)
    model, mean = training.weights(), {n: w.clone() for n, w in average.weights.items()}
    with average.applied(training.model):
        inside = training.weights()
        assert all(torch.equal(inside[n], mean[n].to(inside[n].dtype)) for n in mean)
    assert apart(training.weights(), model) == 0
    assert apart(average.weights, mean) == 0
