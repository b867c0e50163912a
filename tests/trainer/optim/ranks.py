"""A training of the small network on several processes over gloo, by any plan; spawned by ``test_sharded.py``."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from model.mmdit import MMDiT
from tests.trainer.optim.networks import batches, layout, network
from trainer.optim.backward import BackwardOptimizer
from trainer.optim.config import OptimizerConfig
from trainer.optim.ema import EMA
from trainer.optim.local import local
from trainer.optim.optimizer import make_optimizer

BEFORE, AFTER = 3, 2  # steps until the checkpoint, and after it
_FLAT = StateDictOptions(flatten_optimizer_state_dict=True)
_OUTPUTS = [f"attn.{n}" for n in ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj")]
_OUTPUTS += [f"{stream}_mlp.net.0.proj" for stream in ("img", "txt")]
_INPUTS = ["attn.to_out.0", "attn.to_add_out", "img_mlp.net.2", "txt_mlp.net.2"]


Configs = dict[str, OptimizerConfig]


def train(folder: Path, configs: Configs, ranks: int, tp: int = 1, resume: Path | None = None) -> dict[str, Any]:
    """By name of a config: losses, norms, and the whole weights and averages after all steps.

    ``resume``: the folder of an earlier call, from whose checkpoints the steps after them are done.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(exist_ok=True)
    mp.spawn(_run, args=(port, folder, configs, ranks, tp, resume), nprocs=ranks)
    return torch.load(folder / "told.pt")


def _run(rank: int, port: int, folder: Path, configs: Configs, ranks: int, tp: int, resume: Path | None) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=ranks)
    mesh = init_device_mesh("cpu", (ranks // tp, tp), mesh_dim_names=("data", "tensor"))
    told = {
        name: _train(config, mesh, folder / name, resume / name if resume else None) for name, config in configs.items()
    }
    if rank == 0:
        torch.save(told, folder / "told.pt")
    dist.barrier()
    dist.destroy_process_group()


def _train(config: OptimizerConfig, mesh: DeviceMesh, save: Path, resume: Path | None) -> dict[str, Any]:
    model = _divided(config, mesh)
    optimizer, average = make_optimizer(model, config, seed=5), EMA(model, 0.9)
    _sum_over_heads(model, mesh["tensor"])
    stepper = BackwardOptimizer(model, optimizer, 0.05) if config.in_backward else None
    told: list[tuple[float, float]] = []

    def steps(first: int, count: int) -> None:
        for number, (inputs, target) in enumerate(batches(count, first), first):
            if stepper:
                stepper.begin(number, config.lr)
            # Every rank takes the whole batch, so that the sum over ranks is the batch's own gradient.
            loss = (model(*inputs, layout()) - target).square().mean() / mesh["data"].size()
            loss.backward()
            norm = stepper.finish() if stepper else 0.0
            if not stepper:
                optimizer.step()
                optimizer.zero_grad()
            average.update(model, number)
            told.append((loss.item() * mesh["data"].size(), norm))

    def state() -> dict[str, Any]:
        states = get_optimizer_state_dict(model, optimizer.parts, options=_FLAT)
        return {"model": model.state_dict(), "ema": average.weights, "optimizer": states}

    if resume:
        saved = state()
        dcp.load(saved, checkpoint_id=resume)
        set_optimizer_state_dict(model, optimizer.parts, saved["optimizer"], options=_FLAT)
    else:
        steps(0, BEFORE)
        dcp.save(state(), checkpoint_id=save)
    steps(BEFORE, AFTER)
    return {"told": told, "weights": _whole(model.state_dict()), "average": _whole(average.weights)}


def _sum_over_heads(model: MMDiT, mesh: DeviceMesh) -> None:
    """Weights of the q and k norms are whole on every rank and have seen its own heads only."""
    if mesh.size() == 1:
        return
    for name, parameter in model.named_parameters():
        if ".attn.norm_" in name and parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(
                lambda p: dist.all_reduce(local(p.grad), group=mesh.get_group())
            )


def _divided(config: OptimizerConfig, mesh: DeviceMesh) -> MMDiT:
    """By heads over one dimension of the mesh, by FSDP2 over the other; products in fp32."""
    model = network()
    if config.weights == "bf16":
        model.bfloat16()
    if mesh["tensor"].size() > 1:
        plan = {n: ColwiseParallel() for n in _OUTPUTS} | {n: RowwiseParallel() for n in _INPUTS}
        plan |= {n: ColwiseParallel(output_layouts=Replicate()) for n in ("img_mod.1", "txt_mod.1")}
        for block in model.transformer_blocks:
            parallelize_module(block, mesh["tensor"], plan)
            block.attn.heads //= mesh["tensor"].size()
    if mesh["data"].size() > 1 or config.weights == "bf16":
        policy = MixedPrecisionPolicy(param_dtype=torch.float32, cast_forward_inputs=False)
        for module in (*model.transformer_blocks, model):
            fully_shard(module, mesh=mesh["data"], mp_policy=policy)
        _sum_gradients(model)
    return model


def _sum_gradients(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def _whole(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n: (t.full_tensor() if isinstance(t, DTensor) else t).float().clone() for n, t in tensors.items()}
