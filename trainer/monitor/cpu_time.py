"""CPU seconds of a command with all that it starts, which on a busy machine say more than the clock.

A child's seconds are known to its parent once it was waited for. Ray's daemons outlive the process that started
them, so this process asks the kernel for such orphans (``PR_SET_CHILD_SUBREAPER``) and waits for them itself.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 5.0
"""Seconds that orphans are given to end (chosen); those that stay longer are not counted."""


def run_counted(command: Sequence[str]) -> tuple[int, float]:
    """Run ``command``; its exit status and the CPU seconds of its tree. Waits for every child of this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = _of_children()
    status = subprocess.run(command, check=False).returncode
    _wait_for_orphans()
    return status, _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _wait_for_orphans() -> None:
    deadline = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
    except ChildProcessError:  # none is left
        return
