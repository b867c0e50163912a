"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE_S = 600.0
"""A machine with other work may take many times what is usual; only a test that fails waits so long."""


def wait_until(condition: Callable[[], bool], ended: Callable[[], object] = lambda: None) -> None:
    """Until ``condition`` holds; fails where it does not in DEADLINE_S, or where ``ended``, a process's ``poll``, is no longer None."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert ended() is None, "ended too early"
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:.0f} s"
        time.sleep(0.01)
