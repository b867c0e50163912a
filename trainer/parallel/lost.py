"""Who is missing when an exchange between ranks fails."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch.distributed as dist

from configs import RunFailed
from trainer.parallel.world import World

_WAIT = 5.0
"""Seconds in which every rank that lives has noticed too (chosen)."""


class RankLost(RunFailed):
    """Another rank is gone; with new processes the training can go on."""


class SilentlyLost(SystemExit):
    """The same, on a rank that leaves it to another one to say so."""

    def __init__(self) -> None:
        super().__init__(1)


@contextlib.contextmanager
def naming_the_lost(world: World) -> Iterator[None]:
    """Turns the failure of an exchange into a RunFailed that names the rank which is gone."""
    try:
        yield
    except RuntimeError as error:
        if world.size == 1 or isinstance(error, RunFailed):
            raise
        gone = _missing_ranks(world)
        if not gone:
            raise
        if world.rank != min(set(range(world.size)) - set(gone)):
            raise SilentlyLost from None  # one of those that are left says it
        ranks = f"rank {gone[0]}" if len(gone) == 1 else f"ranks {', '.join(map(str, gone))}"
        raise RankLost(
            f"{ranks} of {world.size} is gone (killed, out of memory, or stopped by an error of its own above); "
            "checkpoints are safe: the same command goes on from the last one, with this or another number of processes"
        ) from None


def _missing_ranks(world: World) -> list[int]:
    """Ranks that do not answer. All that live call this after a failed exchange; the store outlives any of them."""
    store = dist.distributed_c10d._get_default_store()
    names = [f"answers/{rank}" for rank in range(world.size)]
    store.set(names[world.rank], "yes")
    deadline = time.monotonic() + _WAIT
    while time.monotonic() < deadline and not store.check(names):
        time.sleep(0.05)
    return [rank for rank, name in enumerate(names) if not store.check([name])]
