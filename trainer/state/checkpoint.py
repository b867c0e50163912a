"""Saving and restoring by torch's distributed checkpoint: sharded, asynchronous, for any number of ranks.

    weights, averages, optimizer ──copy──> the training goes on
                                   └──a thread of each rank writes its shards──> rank 0: ``complete``

A checkpoint holds whole tensors by name, in the pieces that ranks had; another number of ranks reads what it needs.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

from configs import RunFailed
from model.complete import damage, mark_complete
from model.files import read_json, write_json
from model.mmdit import MMDiT
from trainer.optim.ema import EMA
from trainer.optim.local import local
from trainer.optim.offload import stored
from trainer.optim.optimizer import OptimizerGroup
from trainer.parallel.lost import exchange_failed
from trainer.parallel.world import World, another_group
from trainer.state.folders import (
    checkpoint_path,
    checkpoints,
    done_steps,
    is_old,
    keep,
    put_aside,
    remove_unfinished,
    step_of,
    write_best,
)
from trainer.state.old_form import restore_old
from trainer.state.writer import Writer, telling

_FLAT = StateDictOptions(flatten_optimizer_state_dict=True)
_DAMAGED = (
    *(CheckpointException, RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError, BadZipFile),
)


Best = tuple[str, float]
"""A metric and its value."""


class Checkpoints:
    """The checkpoints of ``out``; ``base``: the pipeline folder that an export takes all other parts from."""

    def __init__(
        self,
        out: Path,
        base: Path,
        world: World,
        model: MMDiT,
        average: EMA,
        optimizer: OptimizerGroup,
        count: int,
        about: Mapping[str, Any],
    ) -> None:
        """``count``: newest ones that stay. ``about``: what ``base.json`` says beside the base (``model/export.py``)."""
        self.out, self.base, self.world, self.count = out, base, world, count
        self.model, self.average, self.optimizer = model, average, optimizer
        self.about = about
        self._pending: tuple[Path, Future[Any], Best | None] | None = None
        self._saved: int | None = None
        self._group = another_group("writing")  # the writing threads agree among themselves

    def restore(self) -> int:
        """Fill everything from the newest checkpoint that can be read, and return its steps; 0 where there is none.

        Raises RunFailed where there are checkpoints and none can be read.
        """
        if self.world.first:
            remove_unfinished(self.out)
        self.world.barrier()
        found = checkpoints(self.out)
        for folder in reversed(found):
            why = self._load(folder)
            if why is None:
                if self.world.first:
                    put_aside([later for later in found if step_of(later) > step_of(folder)])
                return step_of(folder)
            if self.world.first:
                print(f"{folder}: {why}; going back to the checkpoint before", flush=True)
        if found:
            raise RunFailed(
                f"{self.out / 'checkpoints'}: none of {len(found)} checkpoints can be read; restore one from a copy, or "
                "delete them all to start again"
            )
        return 0

    @property
    def newest(self) -> int | None:
        """Steps of the newest checkpoint, also of one that is being written; None before there is any."""
        found = checkpoints(self.out)
        return self._saved if self._saved is not None else step_of(found[-1]) if found else None

    def load(self, folder: Path) -> None:
        """Fill everything from ``folder``, of another training. Raises RunFailed where it cannot be read."""
        why = self._load(folder)
        if why:
            raise RunFailed(f"{folder}: {why}; name another checkpoint")
        self.average.before += done_steps(folder)

    def _load(self, folder: Path) -> str | None:
        """Why ``folder`` cannot be read, or None; the same on all ranks."""
        why = None if is_old(folder) else self._damage(folder)
        if why:
            return why
        try:
            if is_old(folder):
                restore_old(folder, self.model, self.average, self.optimizer)
                return None
            self.average.before = int(read_json(folder / "base.json").get("averaged_before", 0))
            state = self._state()
            dcp.load(state, checkpoint_id=folder, process_group=self._group)
            set_optimizer_state_dict(self.model, self.optimizer.parts, state["optimizer"], options=_FLAT)
        except _DAMAGED as error:
            if exchange_failed(error):  # a rank is gone, and the checkpoint as good as before
                raise
            lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            return f"cannot be read ({lines[-1].strip()})"
        return None

    def _damage(self, folder: Path) -> str | None:
        """Each rank reads a part of the files; what one finds all are told."""
        found: list[str | None] = [None] * self.world.size
        dist.all_gather_object(found, damage(folder, self.world.rank, self.world.size), group=self._group)
        return next((why for why in found if why), None)

    def _state(self) -> dict[str, Any]:
        return {
            "model": {n: stored(p) for n, p in self.model.named_parameters() if p.requires_grad},
            "ema": self.average.weights,
            "optimizer": get_optimizer_state_dict(self.model, self.optimizer.parts, options=_FLAT),
        }

    def save(self, step: int, best: Best | None = None) -> None:
        """Begin to write the checkpoint after ``step`` steps; the training may go on at once.

        ``best``: metric and value that make it the best one so far. Raises RunFailed for weights that are not finite.
        """
        self.finish()
        if step == self._saved:  # asked to end at a step that is saved anyway
            return
        if self.world.sum(not _all_finite(self.model)):
            self.world.stop(
                f"the weights after {step:,} steps are not finite, though the last step's gradient was: they are not saved "
                "and the last checkpoint is good; lower optimizer.lr"
            )
        folder = checkpoint_path(self.out, step)
        with telling(folder):
            if self.world.first:
                folder.mkdir(parents=True)
                base = self.base.absolute()
                about = {"base": os.path.relpath(base, folder.absolute()), "base_absolute": str(base), **self.about}
                about["averaged_before"] = self.average.before
                write_json(folder / "base.json", about)
            self.world.barrier()
            future = dcp.async_save(self._state(), storage_writer=Writer(folder), process_group=self._group)
        assert isinstance(future, Future)
        self._pending, self._saved = (folder, future, best), step

    def finish(self) -> None:
        """Wait until what is being written is a checkpoint. Raises RunFailed where it could not be written."""
        if self._pending is None:
            return
        folder, future, best = self._pending
        self._pending = None
        with telling(folder):
            future.result()
            if self.world.first:
                mark_complete(folder, step_of(folder))
                if best:
                    write_best(self.out, step_of(folder), *best)
                keep(self.out, self.count)

    def poll(self) -> None:
        """Finish what is being written if that needs no waiting."""
        if self._pending is not None and self._pending[1].done():
            self.finish()


def _all_finite(model: MMDiT) -> bool:
    """Of what this rank holds of the weights that train."""
    found = [torch.isfinite(local(stored(p))).all() for p in model.parameters() if p.requires_grad]
    return bool(torch.stack([finite.to(found[0].device) for finite in found]).all())  # one wait for the device
