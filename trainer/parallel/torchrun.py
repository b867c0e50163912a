"""What is wrong with a command that torchrun starts N times is told once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from configs import UserError


def started_by_torchrun() -> bool:
    """As ``torch.distributed.is_torchelastic_launched``, which takes seconds to import."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextlib.contextmanager
def told_once() -> Iterator[None]:
    """One of torchrun's processes raises the UserError that the block raises in all of them; the others end quietly."""
    try:
        yield
    except UserError as error:
        if not started_by_torchrun():
            raise
        import torch

        from trainer.parallel.lost import naming_the_lost
        from trainer.parallel.world import join

        join(torch.device("cpu"))
        with naming_the_lost():
            raise error from None


def refuse_torchrun(what: str) -> None:
    """Raise UserError, told once, where torchrun has started ``what``, which is for one process."""
    if started_by_torchrun():
        with told_once():
            raise UserError(f"{what} is for one process, and torchrun has started this one: give it without torchrun")
