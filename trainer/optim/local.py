"""Sharded tensors seen from one rank: its own part, and sums over the ranks that hold the others.

A parameter is a plain tensor (one process, DDP) or a DTensor (FSDP2, tensor parallel, both on a mesh of two
dimensions). What an optimizer does element by element it does to the part; torch's multi-tensor kernels raise
for DTensors of unlike meshes in one list, plain parts have none.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.placement_types import Placement


def local(x: Tensor) -> Tensor:
    """This rank's part, sharing memory with ``x``; all of it where nothing is sharded."""
    return x.to_local() if isinstance(x, DTensor) else x


def sharded_dims(x: Tensor, dim: int | None = None) -> tuple[int, ...]:
    """Dimensions of the mesh over which ``x`` is cut; with ``dim`` those that cut this dimension of the tensor."""
    if not isinstance(x, DTensor):
        return ()
    cuts = [(i, _cut_dim(p)) for i, p in enumerate(x.placements)]
    return tuple(i for i, cut in cuts if cut is not None and dim in (None, cut))


def coordinate(x: Tensor) -> tuple[int, ...]:
    """Which of the parts this rank holds: equal on ranks that hold the same part."""
    if not isinstance(x, DTensor):
        return ()
    place = x.device_mesh.get_coordinate() or ()
    return tuple(place[i] for i in sharded_dims(x))


def summed(value: Tensor, x: Tensor, dims: Sequence[int]) -> Tensor:
    """``value`` summed over ``dims`` of the mesh of ``x``, in place. Every rank of the mesh must call it."""
    if isinstance(x, DTensor):
        for i in dims:
            dist.all_reduce(value, group=x.device_mesh.get_group(i))
    return value


def like(x: Tensor, part: Tensor, kept_dim: int | None = None) -> Tensor:
    """``part`` as a tensor that is cut as ``x`` is, so that a checkpoint can cut it for other ranks.

    ``part`` has all dimensions of ``x`` (the last one may be shorter by a common factor), or, with ``kept_dim``,
    is a vector along that one.
    """
    if not isinstance(x, DTensor):
        return part
    shape = [x.shape[kept_dim]] if kept_dim is not None else [*x.shape[:-1], _whole_last(x, part)]
    placements = [_along(p, kept_dim) if kept_dim is not None else p for p in x.placements]
    size = torch.Size(shape)
    stride = torch.empty(size, device="meta").stride()
    whole = DTensor.from_local(part, x.device_mesh, placements, run_check=False, shape=size, stride=stride)
    return whole.to(part.device)  # from_local moves to the mesh's device, where offloaded parts must not go


def _whole_last(x: DTensor, part: Tensor) -> int:
    mine = x.to_local()
    return x.shape[-1] * part.shape[-1] // mine.shape[-1] if mine.shape[-1] else x.shape[-1]


def _along(placement: Placement, dim: int) -> Placement:
    cut = _cut_dim(placement)
    if cut != dim:
        return Replicate()
    return placement if dim == 0 else Shard(0)


def _cut_dim(placement: Placement) -> int | None:
    """The dimension that Shard and FSDP2's strided shard have and others have not."""
    return getattr(placement, "dim", None)
