"""A training that is asked to end saves first: schedulers send SIGTERM before they take a machine away, people Ctrl-C.

Before the first step and after the last save nothing waits to be saved, and a signal ends the command at once.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

from configs import RunFailed
from trainer.state.notes import Notes

_SAME = 2.0
"""Seconds within which a second Ctrl-C is the same one: a terminal sends it, and torchrun passes it on (chosen)."""


class StopRequest:
    """Whether SIGTERM or SIGINT came since ``hold``. Within ``with`` and after ``hold``, it no longer ends the process;
    a second Ctrl-C does. ``notes``: where the command that started this worker of Ray passes it on."""

    def __init__(self, notes: Notes | None = None) -> None:
        self._notes = notes
        self._holds = False
        self._before: dict[signal.Signals, object] = {}
        self._name: str | None = None
        self._since = 0.0

    @property
    def received(self) -> bool:
        return self._name is not None or (self._notes is not None and self._notes.asked() is not None)

    @property
    def name(self) -> str:
        """Of the signal; on a rank that has not got it itself, words for it."""
        return self._name or (self._notes and self._notes.asked()) or "a signal to another rank"

    def hold(self) -> None:
        """From here on there is something to save."""
        if self._holds:
            return
        self._holds = True
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no signals
            self._before = {n: signal.signal(n, self._receive) for n in (signal.SIGTERM, signal.SIGINT)}
        if self._notes:
            self._notes.hold()

    def __enter__(self) -> StopRequest:
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        if self._notes and self._holds:
            self._notes.release()

    def release(self) -> None:
        """All is saved. Raises RunFailed where the signal came too late for the loop to end by it."""
        if self.received:
            raise RunFailed(
                f"asked to end ({self.name}) after the last step; all of it is saved: the same command makes the export"
            )

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        again = self._name is not None and time.monotonic() - self._since > _SAME
        if number == signal.SIGINT and again:
            raise KeyboardInterrupt
        if self._name is None:
            self._name, self._since = signal.Signals(number).name, time.monotonic()
