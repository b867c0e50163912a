"""Blocks on the host: the same numbers, weights that are really gone meanwhile, checkpoints that hold them."""

from __future__ import annotations

import pytest
import torch

from configs import UserError
from tests.trainer.optim.networks import Training, apart, batches, layout, network
from trainer.optim.config import OptimizerConfig
from trainer.optim.ema import EMA
from trainer.optim.offload import offload_blocks, stored


@pytest.mark.parametrize("checkpointing", ["none", "selective", "full"])
@pytest.mark.parametrize("in_backward", [False, True])
@pytest.mark.parametrize(("plan", "weights"), [("adamw", "fp32"), ("adamw8bit", "bf16"), ("adafactor", "bf16")])
def test_offloaded_blocks_give_bitwise_the_same(plan, weights, in_backward, checkpointing):
    """Three fetched of three and two of three; the resident one takes the plan's own AdamW, too, not torch's fused."""
    config = {"plan": plan, "weights": weights, "in_backward": in_backward, "lr": 1e-3}
    losses, ends = [], []
    for count in (1, 2, 3):
        training = Training(OptimizerConfig(offload_blocks=count, **config), checkpointing, clip=0.05)
        losses.append(training.run(2))
        ends.append(training.weights())
    resident = Training(OptimizerConfig(offload_blocks=0, **config), checkpointing, clip=0.05)
    if plan == "adamw" and not in_backward:
        resident.optimizer = Training(OptimizerConfig(in_backward=True, lr=1e-3)).optimizer.__class__(
            _own_adamw(resident.model)
        )
    assert losses == [resident.run(2)] * 3
    assert all(apart(end, resident.weights()) == 0 for end in ends)


def _own_adamw(model):
    from trainer.optim.optimizer import make_optimizer

    return make_optimizer(model, OptimizerConfig(in_backward=True, lr=1e-3)).parts[0]


def test_blocks_that_are_not_at_work_take_no_room():
    model = network()
    sizes = []
    offload_blocks(model, 3)
    blocks = list(model.transformer_blocks)

    def look(*_):
        sizes.append([sum(p.untyped_storage().size() for p in block.parameters()) > 0 for block in blocks])

    for block in blocks:
        block.attn.register_forward_hook(look)
    (inputs, _), *_ = batches(1)
    with torch.no_grad():
        model(*inputs, layout())
    assert sizes == [[True, True, False], [False, True, True], [False, False, True]]  # the next one comes meanwhile
    assert not any(p.untyped_storage().size() for block in blocks for p in block.parameters())


def test_a_checkpoint_holds_the_host_weights_and_fills_them():
    training = Training(OptimizerConfig(offload_blocks=2, lr=1e-3))
    training.run(2)
    saved = training.weights()
    other = Training(OptimizerConfig(offload_blocks=2, lr=1e-3))
    other.model.load_state_dict(saved)
    assert apart(other.weights(), saved) == 0
    resident = network()
    resident.load_state_dict(saved)
    (inputs, _), *_ = batches(1)
    with torch.no_grad():
        assert torch.equal(other.model(*inputs, layout()), resident(*inputs, layout()))
    with torch.no_grad():  # in place, as distributed checkpoints are read
        for name, tensor in other.model.state_dict().items():
            tensor.copy_(2 * saved[name])
        doubled = network()
        doubled.load_state_dict({name: 2 * tensor for name, tensor in saved.items()})
        assert torch.equal(other.model(*inputs, layout()), doubled(*inputs, layout()))


def test_the_average_follows_offloaded_weights():
    training, resident = (Training(OptimizerConfig(in_backward=True, offload_blocks=n, lr=1e-3)) for n in (2, 0))
    averages = [EMA(t.model, 0.9) for t in (training, resident)]
    for t, average in zip((training, resident), averages, strict=True):
        t.run(2)
        average.update(t.model, 1)
    assert apart(averages[0].weights, averages[1].weights) == 0
    before = training.weights()
    with averages[0].applied(training.model):
        assert apart(training.weights(), {**before, **averages[1].weights}) == 0
        (inputs, _), *_ = batches(1)
        with torch.no_grad(), averages[1].applied(resident.model):
            assert torch.equal(training.model(*inputs, layout()), resident.model(*inputs, layout()))
    assert apart(training.weights(), before) == 0
    assert training.run(1) == resident.run(1)


def test_states_live_with_the_weights():
    training = Training(OptimizerConfig(offload_blocks=1, plan="adamw8bit"))
    training.run(1)
    for parameter, state in training.optimizer.parts[0].state.items():
        assert {t.device for t in state.values()} == {stored(parameter).device}


def test_more_blocks_than_there_are():
    with pytest.raises(UserError, match=r"optimizer.offload_blocks': the model has 3 blocks, found 4"):
        offload_blocks(network(), 4)
