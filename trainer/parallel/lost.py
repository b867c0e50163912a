"""Who is missing when an exchange between ranks fails; and what ends a rank is told by one rank.

a rank meets an error ──claims "told" in the store──> its line, and it ends
the others: their exchange fails ──"told" is claimed──> they end quietly
                                 ──nobody has claimed it──> one that is left names those that do not answer
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch.distributed as dist
from torch.distributed.checkpoint.api import CheckpointException

from configs import RunFailed, UserError
from trainer.state.signals import StopRequest

_WAIT = 5.0
"""Seconds in which every rank that lives has noticed too (chosen)."""
_PAUSE = 1.0
"""Seconds that a quiet rank stays: when the first one is gone, torchrun ends the others, also the one that tells (chosen)."""
_TOLD = "told"
_SAFE = "checkpoints are safe: the same command goes on from the last one, with this or another number of processes"


class RankLost(RunFailed):
    """Another rank is gone; with new processes the training can go on."""


class SilentlyLost(SystemExit):
    """This rank ends because another one does, which says why."""

    def __init__(self) -> None:
        super().__init__(1)


def exchange_failed(error: BaseException) -> bool:
    """Whether ``error`` is what an exchange between ranks raises when one of them is gone. Gloo's has no class of its own,
    and a checkpoint's wraps it."""
    causes = [error, *(e[0] for e in getattr(error, "failures", {}).values())]
    return any(isinstance(cause, dist.DistError) or "gloo" in str(cause) for cause in causes)


@contextlib.contextmanager
def naming_the_lost() -> Iterator[None]:
    """Turns the failure of an exchange into a RunFailed that names the rank which is gone, and what ends a rank alone or
    all of them into one line. Entered by all ranks, once they have joined."""
    try:
        yield
    except (UserError, RunFailed) as error:
        _keep_signals_off()
        if dist.get_world_size() > 1 and not _claims():
            raise _quietly() from None
        raise error from None
    except SystemExit as error:  # World.stop, where rank 0 tells
        _keep_signals_off()
        time.sleep(_PAUSE if dist.get_world_size() > 1 else 0)
        raise error from None
    except KeyboardInterrupt:
        if dist.get_world_size() == 1:
            raise
        _keep_signals_off()
        first = _claims()
        gone = _missing_ranks()  # torchrun sends SIGTERM when a rank is gone, perhaps before an exchange has failed
        if not first:
            raise _quietly() from None
        if gone:
            raise RankLost(
                f"asked to end (a signal, or torchrun because a rank is gone); no answer from {_ranks(gone)}; {_SAFE}"
            ) from None
        raise
    except (RuntimeError, CheckpointException) as error:
        if dist.get_world_size() == 1 or not exchange_failed(error):
            raise
        _keep_signals_off()
        if _is_told():
            raise _quietly() from None
        _name_missing(_missing_ranks())
        raise


def _keep_signals_off() -> None:
    """To the end of the process: torchrun's SIGTERM must not end a rank that has something to say."""
    if dist.get_world_size() > 1:
        StopRequest().hold()


def _quietly() -> SilentlyLost:
    time.sleep(_PAUSE)
    return SilentlyLost()


def _claims() -> bool:
    """Whether this rank is the first that has something to tell."""
    mine = str(dist.get_rank()).encode()
    try:
        return bool(_store().compare_set(_TOLD, "", mine.decode()) == mine)
    except dist.DistError:  # whoever held the store is gone, and has told nothing: it waits before it ends
        return True


def _is_told() -> bool:
    try:
        return bool(_store().check([_TOLD]))
    except dist.DistError:
        return False


def _name_missing(gone: list[int]) -> None:
    """Raises RankLost, or SilentlyLost where another rank tells, if ranks are ``gone``."""
    if _is_told():
        raise _quietly() from None
    if not gone:
        return
    if dist.get_rank() != min(set(range(dist.get_world_size())) - set(gone)):
        raise _quietly() from None  # one of those that are left says it
    raise RankLost(
        f"{_ranks(gone)} is gone (killed, out of memory, or stopped by an error of its own above); {_SAFE}"
    ) from None


def _ranks(gone: list[int]) -> str:
    ranks = f"rank {gone[0]}" if len(gone) == 1 else f"ranks {', '.join(map(str, gone))}"
    return f"{ranks} of {dist.get_world_size()}"


def _missing_ranks() -> list[int]:
    """Ranks that do not answer. All that live call this after a failed exchange; torchrun's store outlives any of them,
    Ray Train's is rank 0's."""
    rank, size = dist.get_rank(), dist.get_world_size()
    names = [f"answers/{other}" for other in range(size)]
    deadline = time.monotonic() + _WAIT
    try:
        store = _store()
        store.set(names[rank], "yes")
        while time.monotonic() < deadline and not store.check(names):
            time.sleep(0.05)
        return [other for other, name in enumerate(names) if not store.check([name])]
    except dist.DistError:
        return [0]


def _store() -> dist.Store:
    return dist.distributed_c10d._get_default_store()
