"""AdamW and Muon together: who gets which parameter, and that a restored state goes on alike."""

import copy

import pytest
import torch

from model.init import new_transformer
from model.memory import state_bytes
from model.mmdit import MMDiTConfig
from trainer.optim.config import OptimizerConfig
from trainer.optim.optimizer import make_optimizer

SMALL = MMDiTConfig(2, 4, 32, joint_attention_dim=64, axes_dims_rope=(4, 14, 14))


def _walk(model, optimizer, steps, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_every_trained_parameter_has_one_optimizer(kind):
    model = new_transformer(SMALL, seed=0)
    optimizer = make_optimizer(model, OptimizerConfig(kind=kind))
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert len(optimizer.parts) == (1 if kind == "adamw" else 2)


def test_muon_takes_only_the_blocks_matrices():
    model = new_transformer(SMALL, seed=0)
    taken = {id(p) for p in make_optimizer(model, OptimizerConfig(kind="muon")).parts[1].param_groups[0]["params"]}
    names = {n for n, p in model.named_parameters() if id(p) in taken}
    assert "transformer_blocks.0.attn.to_q.weight" in names
    assert "transformer_blocks.1.img_mlp.net.0.proj.weight" in names
    assert not any("_mod." in n or "_in." in n or "norm" in n or "proj_out" in n or n.endswith("bias") for n in names)


def test_restored_state_goes_on_alike():
    model = new_transformer(SMALL, seed=0)
    optimizer = make_optimizer(model, OptimizerConfig(kind="muon", lr=1e-2))
    _walk(model, optimizer, 3, seed=1)
    twin = copy.deepcopy(model)
    other = make_optimizer(twin, OptimizerConfig(kind="muon", lr=1e-2))
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for walker, its in ((model, optimizer), (twin, other)):
        _walk(walker, its, 2, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize("plan", ["adamw", "muon", "adamw8bit", "adafactor"])
def test_the_memory_plan_counts_the_optimizers_real_state(plan):
    model = new_transformer(SMALL, seed=0)
    config = OptimizerConfig(kind="muon") if plan == "muon" else OptimizerConfig(plan=plan)
    optimizer = make_optimizer(model, config)
    _walk(model, optimizer, 1, seed=1)
    names = {parameter: name for name, parameter in model.named_parameters()}
    for part in optimizer.parts:
        for parameter, state in part.state.items():
            held = sum(x.nbytes for name, x in state.items() if name != "step")
            assert state_bytes(names[parameter], parameter, plan) == held, names[parameter]
