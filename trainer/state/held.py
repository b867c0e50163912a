"""Who trains into OUT: the command holds OUT/lock; where Ray starts its workers, they have a lock of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.store.lock import RunLock
from trainer.state.notes import Notes


@contextlib.contextmanager
def held(out: Path, wait: bool, notes: Notes | None = None) -> Iterator[None]:
    """Hold ``out``; ``notes``: of the command that holds it already, for this worker. Raises UserError saying who else
    does (``wait``: waits)."""
    if notes:  # a worker that is replaced may still be ending
        with RunLock(notes.lock, wait=True):
            yield
        return
    with RunLock(out / "lock", wait):
        left = Notes(out).lock
        if left.exists():  # of a command that was killed: Ray ends its workers a few seconds later
            with RunLock(left, wait=True):
                pass
        yield
