"""The memory plan's arithmetic against the tensors that live after a step, for every plan; and what it says."""

from __future__ import annotations

import itertools
import re

import pytest
import torch

import configs
from model.config import ModelConfig
from model.describe import encoder_bytes
from model.memory import Setting
from model.memory_plan import UPDATE_BYTES, plan_memory
from tests.model.test_memory import Live
from tests.trainer.optim.networks import SMALL, Training
from trainer.config import FitConfig
from trainer.memory_plan import fit_memory_lines, memory_lines, memory_setting, training_memory
from trainer.optim.config import OptimizerConfig
from trainer.optim.ema import make_average
from trainer.optim.offload import stored
from trainer.optim.optimizer import make_optimizer

PLANS = list(itertools.product(("adamw", "adamw8bit", "adafactor", "muon"), ("fp32", "bf16"), (False, True), (0, 2)))
PLANS = [plan for plan in PLANS if plan[0] != "muon" or plan[1:] == ("fp32", False, 0)]
QWEN = "configs/model/qwen-image.yaml"


def _bytes(tensors):
    return sum(t.untyped_storage().size() for t in tensors)


@pytest.mark.parametrize(("plan", "weights", "in_backward", "offload"), PLANS)
@pytest.mark.parametrize("average", ["none", "device", "host"])
def test_the_plan_counts_what_lives_after_a_step(plan, weights, in_backward, offload, average):
    kind = {"kind": "muon"} if plan == "muon" else {"plan": plan}
    config = OptimizerConfig(
        weights=weights,
        in_backward=in_backward,
        offload_blocks=offload,
        ema=0.9 if average != "none" else None,
        ema_device="host" if average == "host" else "device",
        **kind,
    )
    training = Training(config)
    largest = _largest_gradients(training) if in_backward else None
    mean = make_average(training.model, config.ema, config.ema_device)
    training.run(1)
    gradients = largest[0] if largest else _gradients_of_a_step(training)
    mean.update(training.model, 0)
    got = plan_memory(training.model, SMALL, memory_setting(config), 40, 19)

    parameters = list(training.model.parameters())
    away = {id(p) for p in parameters if stored(p) is not p}
    states = [s for part in training.optimizer.parts for s in part.state.items()]
    host = _bytes(stored(p) for p in parameters if id(p) in away)
    host += _bytes(t for p, s in states if id(p) in away for n, t in s.items() if n != "step")
    averages = {n: _bytes([t]) for n, t in mean.weights.items()}
    away_names = {n for n, p in training.model.named_parameters() if id(p) in away}
    on_host = sum(size for n, size in averages.items() if average == "host" or n in away_names)
    assert got.weights == sum(p.nbytes for p in parameters if id(p) not in away)
    # In the backward pass the last block's meet those of the output layers only; the plan counts all outside layers'.
    outside = sum(p.nbytes for n, p in training.model.named_parameters() if not n.startswith("transformer_blocks"))
    assert 0 <= got.gradients - gradients <= (outside if in_backward else 0)
    assert got.optimizer == _bytes(t for p, s in states if id(p) not in away for n, t in s.items() if n != "step")
    assert got.average == sum(averages.values()) - on_host
    assert got.host == host + on_host


@pytest.mark.parametrize("weights", ["fp32", "bf16"])
@pytest.mark.parametrize("plan", UPDATE_BYTES)
def test_an_update_holds_what_the_plan_says(plan, weights):
    layer = torch.nn.Linear(2048, 512, bias=False)
    if weights == "bf16":
        layer.bfloat16()
    optimizer = make_optimizer(layer, OptimizerConfig(plan=plan, weights=weights, in_backward=True))
    for _ in range(2):  # the first one makes the states
        layer.weight.grad = torch.randn(512, 2048).to(layer.weight.dtype)
        with Live() as live:
            optimizer.step()
    assert live.peak == pytest.approx(UPDATE_BYTES[plan][weights] * layer.weight.numel(), rel=0.06)


def _largest_gradients(training):
    """The most bytes of gradients at once, seen from hooks that run before those which free them."""
    most = [0]
    parameters = [p for p in training.model.parameters() if p.requires_grad]
    for parameter in parameters:
        hooks = parameter._post_accumulate_grad_hooks

        def look(_):
            held = sum(p.grad.nbytes for p in parameters if p.grad is not None)
            most[0] = max(most[0], held)

        parameter.register_post_accumulate_grad_hook(look)
        first = next(iter(hooks))
        hooks[first] = hooks.pop(first)
    return most


def _gradients_of_a_step(training):
    step = training.optimizer.step
    seen = []

    def look():
        seen.append(sum(p.grad.nbytes for p in training.model.parameters() if p.grad is not None))
        step()

    training.optimizer.step = look
    training.run(1)
    return seen[0]


def test_the_released_model_on_one_h100_and_one_h200():
    config = configs.load(QWEN, ModelConfig)
    adafactor = OptimizerConfig(plan="adafactor", weights="bf16", in_backward=True, ema=None)
    setting = memory_setting(adafactor, checkpointing="full", encoders=False)
    plan = training_memory(config.transformer, setting, 4 * 4096, 4 * 256)
    assert plan.weights == 2 * 20_430_401_088
    assert plan.optimizer < 0.1e9
    assert plan.peak < 56e9
    assert plan.fits()
    eight = OptimizerConfig(plan="adamw8bit", weights="bf16", in_backward=True, ema=None)
    whole = training_memory(
        config.transformer, memory_setting(eight, checkpointing="full", encoders=False), 4 * 4096, 4 * 256
    )
    assert 81.7e9 < whole.weights + whole.optimizer < 82.5e9  # the scales of the blocks are half a gigabyte
    assert not whole.fits()
    assert whole.fits(141 * 10**9)
    away = OptimizerConfig(plan="adamw8bit", weights="bf16", in_backward=True, ema=None, offload_blocks=30)
    half = training_memory(
        config.transformer, memory_setting(away, checkpointing="full", encoders=False), 4 * 4096, 4 * 256
    )
    assert half.fits()
    assert half.host == pytest.approx(30 * 339_831_296 * 4, rel=0.02)


@pytest.mark.parametrize(
    ("name", "fields", "tokens", "least", "card"),
    [
        ("lora", [], 4096, 40, 48),
        ("lora", ["encoders=leave", "samples=null", "optimizer.offload_blocks=17"], 4096, 20, 23),
        ("finetune", [], 16384 + 4096, 60, 75),
    ],
)
def test_a_shipped_config_fits_the_card_that_it_names(name, fields, tokens, least, card):
    """With what of its own fields it says itself: checkpointing above all, which it once left out."""
    config = configs.load(f"configs/train/{name}.yaml", FitConfig, fields)
    qwen = configs.load(QWEN, ModelConfig)
    encoders = 0 if config.encoders == "leave" else encoder_bytes(qwen)
    lines = fit_memory_lines(config, qwen.transformer, encoders, 1, tokens, 256)
    peak = next(float(re.search(r"([0-9.]+) GB", line)[1]) for line in lines if " peak" in line)
    assert least < peak < card


def test_the_lines_say_what_it_comes_to():
    config = configs.load(QWEN, ModelConfig)
    lines = memory_lines(config.transformer, memory_setting(OptimizerConfig()), 4096, 256)
    assert lines[0] == "memory on one GPU:"
    assert any(line.split() == ["weights,", "fp32", "81.7", "GB"] for line in lines)
    assert any("fits on a card of 80 GB: no, " in line for line in lines)
    assert "largest micro-batch: 4,096 image and 256 text tokens" in lines[-1]
    assert max(map(len, lines)) <= 120
    settings = (memory_setting(OptimizerConfig(), encoders=e) for e in (True, False))
    held = encoder_bytes(config)
    with_encoders, without = (training_memory(config.transformer, s, 4096, 256, encoders=held) for s in settings)
    assert with_encoders.peak - without.peak == with_encoders.encoders > 16e9


def test_parallel_modes_divide_what_they_should():
    config = configs.load(QWEN, ModelConfig)

    def plan(**parallel):
        return training_memory(
            config.transformer, memory_setting(OptimizerConfig(), encoders=False, **parallel), 4096, 256
        )

    one, ddp, eight, both = plan(), plan(mode="ddp", gpus=8), plan(gpus=8), plan(gpus=8, tp=4)
    assert ddp.state == one.state
    for name in ("weights", "gradients", "optimizer", "average"):
        assert getattr(eight, name) == pytest.approx(getattr(one, name) / 8, rel=1e-4)
        assert getattr(both, name) == pytest.approx(getattr(one, name) / 8, rel=0.01)  # biases are whole under tp
    assert both.in_flight < eight.in_flight / 3
    assert both.activations < eight.activations / 1.7  # norms and streams stay whole


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mode": "ddp", "gpus": 2, "in_backward": True}, "mode ddp"),
        ({"mode": "ddp", "gpus": 2, "offload_blocks": 1}, "mode ddp"),
        ({"mode": "single", "gpus": 2}, "mode single: one GPU"),
        ({"mode": "ddp", "gpus": 4, "tp": 2}, "tp = 2"),
        ({"mode": "fsdp", "gpus": 4, "tp": 3}, "4 GPUs cannot be cut into groups of tp = 3"),
    ],
)
def test_what_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Setting(**fields)


def test_a_meta_model_is_enough():
    with torch.device("meta"):
        assert (
            training_memory(configs.load("configs/model/tiny.yaml", ModelConfig).transformer, Setting(), 64, 8).weights
            > 0
        )
