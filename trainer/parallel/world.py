"""The processes of a training: torchrun's, Ray Train's, or this one alone.

    world  =  data (samples are divided)  x  tensor (the heads of one sample are divided), tensor innermost

Ranks of one tensor group train on the same samples; groups differ in their samples.
"""

from __future__ import annotations

import atexit
import functools
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from configs import RunFailed, UserError
from trainer.config import FitConfig
from trainer.parallel.config import Mode

_TIMEOUT = timedelta(minutes=10)
"""Longest wait for another rank (chosen): one that is gone is noticed at once, this is for one that hangs."""
_PATIENCE = timedelta(hours=12)
"""The same where rank 0 has work of its own: an export of 80 GB onto a slow disk (chosen)."""
_POLL = 0.005
"""Seconds between two looks whether all ranks have come (chosen)."""


class StoppedTogether(RunFailed):
    """All ranks end at the same step; this one says why."""


@dataclass(frozen=True)
class World:
    """``rank`` of ``size`` processes on ``device``. ``mesh``: (data, tensor). ``mode`` is never auto. ``waiting``: a group
    of all ranks that may wait long."""

    rank: int
    size: int
    device: torch.device
    mode: Mode
    mesh: DeviceMesh
    waiting: dist.ProcessGroup

    @property
    def data(self) -> DeviceMesh:
        return self.mesh["data"]

    @property
    def tensor(self) -> DeviceMesh:
        return self.mesh["tensor"]

    @property
    def first(self) -> bool:
        """Whether this rank holds lock, config, metrics, samples and export."""
        return self.rank == 0

    def gather(self, losses: Tensor, flag: bool) -> tuple[list[float], bool]:
        """(losses of all samples, whether any rank raised its flag). ``losses``: (N,), zeros where a rank has none."""
        mine = losses if self.tensor.get_local_rank() == 0 else torch.zeros_like(losses)
        both = torch.cat((mine, mine.new_tensor([float(flag)])))
        if self.size > 1:
            dist.all_reduce(both)
        *values, flags = both.tolist()
        return values, flags > 0

    def sum(self, number: int) -> int:
        """Of all ranks' numbers."""
        total = torch.tensor(number)
        if self.size > 1:
            dist.all_reduce(total)
        return int(total)

    def tell(self, line: str) -> None:
        """Print a line once for all ranks."""
        if self.first:
            print(line, flush=True)

    def stop(self, why: str) -> NoReturn:
        """End on all ranks together; the first one says ``why`` by a StoppedTogether."""
        if self.first:
            raise StoppedTogether(why)
        raise SystemExit(1)

    def barrier(self) -> None:
        """Wait for all ranks, as long as it takes; asked of the CPUs, so that no GPU spins meanwhile."""
        if self.size > 1:
            work = dist.barrier(self.waiting, async_op=True)
            while not work.is_completed():  # a wait inside of torch lets no signal through
                time.sleep(_POLL)
            work.wait()


def open_world(config: FitConfig, device: torch.device, heads: int) -> World:
    """Join the other processes. ``device``: the kind; on a machine of several GPUs each process takes its own.

    ``heads``: of the network. Raises UserError for a mode, or a ``tp``, that this number of processes, the network or
    other fields do not allow.
    """
    rank, size = join(device)
    if device.type == "cuda":
        device = torch.device("cuda", dist.get_node_local_rank(fallback_rank=0))
        torch.cuda.set_device(device)
    mode, tp = mode_of(config, size, heads), config.parallel.tp
    mesh = _mesh(dist.group.WORLD, device.type, size // tp, tp)
    return World(rank, size, device, mode, mesh, another_group("waiting", _PATIENCE))


def alone(device: torch.device) -> World:
    """This process as a world of one."""
    rank, size = join(device)
    mesh = _mesh(dist.group.WORLD, device.type, 1, 1)
    return World(rank, size, device, "single", mesh, another_group("waiting", _PATIENCE))


def another_group(purpose: str, timeout: timedelta | None = None) -> dist.ProcessGroup:
    """All ranks over gloo, apart from the training's own group: with that one its messages would mix. Trainings that
    follow each other in a process share it, for a group's threads live as long as the process."""
    return _group(dist.group.WORLD, purpose, timeout)


@functools.cache
def _group(whole: dist.ProcessGroup | None, purpose: str, timeout: timedelta | None) -> dist.ProcessGroup:
    group = dist.new_group(backend="gloo", timeout=timeout)
    assert isinstance(group, dist.ProcessGroup)
    return group


@functools.cache
def _mesh(whole: dist.ProcessGroup | None, kind: str, data: int, tensor: int) -> DeviceMesh:
    return init_device_mesh(kind, (data, tensor), mesh_dim_names=("data", "tensor"))


def join(device: torch.device) -> tuple[int, int]:
    """(rank, size) of the process group, which is made where there is none: torchrun's, or one of this process alone.

    ``device``: the kind.
    """
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        if dist.is_torchelastic_launched():
            dist.init_process_group(backend, timeout=_TIMEOUT)
        else:
            dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
            atexit.register(_leave)  # NCCL warns of a group that is left to the end of the process
    return dist.get_rank(), dist.get_world_size()


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def mode_of(config: FitConfig, size: int, heads: int) -> Mode:
    """The config's mode, auto resolved. Raises UserError where it, or ``tp``, is not one for ``size`` processes, the
    network's ``heads`` or other fields."""
    mode, whole = config.parallel.mode, _needs_whole(config)
    if mode == "auto":
        mode = "fsdp" if config.parallel.tp > 1 or (size > 1 and not whole) else "ddp" if size > 1 else "single"
    if mode == "single" and size > 1:
        raise UserError(f"field 'parallel.mode': single is for one process, found {size}; take fsdp, ddp or auto")
    if mode == "fsdp" and whole:
        raise UserError(
            f"field 'parallel.mode': fsdp and tp divide weights, and {whole} needs them whole; take ddp or auto"
        )
    if mode == "ddp" and config.optimizer.in_backward:
        raise UserError(
            "field 'optimizer.in_backward': steps before the gradients of other processes are there; with ddp it cannot "
            "be: take parallel.mode fsdp, or optimizer.in_backward false"
        )
    if config.parallel.tp > 1 and config.optimizer.in_backward:
        raise UserError("field 'optimizer.in_backward': cannot be together with parallel.tp above 1; take one of them")
    tp = config.parallel.tp
    if size % tp or heads % tp:
        raise UserError(f"field 'parallel.tp': {tp} must divide the {size} processes and the network's {heads} heads")
    return mode


def _needs_whole(config: FitConfig) -> str | None:
    """The field that keeps weights from being divided, or None."""
    if config.optimizer.kind == "muon":
        return "optimizer.kind muon"
    if config.lora is not None:
        return "lora"
    return "optimizer.offload_blocks" if config.optimizer.offload_blocks else None
