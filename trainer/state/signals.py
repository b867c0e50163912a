"""SIGTERM asks a training to save and end: schedulers send it before they take a machine away."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class StopRequest:
    """Whether SIGTERM came. Inside ``with``, it no longer kills the process."""

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no signals
            self._before = signal.signal(signal.SIGTERM, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_before"):
            signal.signal(signal.SIGTERM, self._before)

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self.received = True
