"""What is wrong with a command that torchrun starts N times is told once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from configs import UserError


def _started_by_torchrun() -> bool:
    """As ``torch.distributed.is_torchelastic_launched``, which takes seconds to import."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextlib.contextmanager
def told_once() -> Iterator[None]:
    """One of torchrun's processes raises the UserError that the block raises in all of them; the others end quietly."""
    try:
        yield
    except UserError as error:
        if not _started_by_torchrun():
            raise
        import torch

        from trainer.parallel.lost import naming_the_lost
        from trainer.parallel.world import join

        join(torch.device("cpu"))
        with naming_the_lost():
            raise error from None


def refuse_torchrun(line: str) -> None:
    """Raise UserError with ``line``, told once, where torchrun has started this process."""
    if _started_by_torchrun():
        with told_once():
            raise UserError(line)
