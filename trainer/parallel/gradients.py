"""Gradients of weights that are divided in unlike ways: their sum over ranks, their norm, their clipping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from trainer.optim.local import local, sharded_dims
from trainer.parallel.world import World


def sum_over_heads(parameters: Iterable[nn.Parameter], world: World) -> None:
    """Add up the gradients of parameters that every rank of a tensor group has whole but has used for its own heads."""
    if world.tensor.size() == 1:
        return
    gradients = [local(p.grad) for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat, group=world.tensor.get_group())
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def gradient_norm(parameters: Sequence[nn.Parameter], world: World) -> Tensor:
    """Norm over all gradients of the whole model, fp64 scalar, the same on every rank.

    torch's own ``clip_grad_norm_`` refuses parameters on meshes that differ, as tensor parallel leaves them.
    """
    found = [p for p in parameters if p.grad is not None]
    each = torch._foreach_norm([local(p.grad) for p in found])  # type: ignore[arg-type]
    norms = torch.stack([norm.to(world.device) for norm in each]).double()  # offloaded blocks' lie on the host
    copies = torch.tensor([_copies(p, world) for p in found], dtype=torch.float64).to(norms.device)
    total = (norms.square() / copies).sum()
    if world.size > 1:
        dist.all_reduce(total)
    return total.sqrt()


def clip(parameters: Sequence[nn.Parameter], norm: float, limit: float) -> None:
    """Scale all gradients down to a norm of ``limit`` where it is larger."""
    factor = limit / (norm + 1e-6)
    if factor < 1:
        torch._foreach_mul_([local(p.grad) for p in parameters if p.grad is not None], factor)  # type: ignore[arg-type]


def _copies(parameter: Tensor, world: World) -> int:
    """How many ranks hold the same part of the parameter."""
    if not isinstance(parameter, DTensor):
        return world.size
    names = parameter.device_mesh.mesh_dim_names or ()
    divided = {names[dim] for dim in sharded_dims(parameter)}
    sizes = {"data": world.data.size(), "tensor": world.tensor.size()}
    copies = 1
    for name, size in sizes.items():
        copies *= 1 if name in divided else size
    return copies
