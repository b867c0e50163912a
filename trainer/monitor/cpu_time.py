"""CPU seconds of a command with all that it starts, which on a busy machine say more than the clock.

The kernel adds up only children that were waited for, and Ray waits for none of its workers: so the tree below this
process is looked at twice a second, and of each process the last figure counts.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Sequence

import psutil

_PR_SET_CHILD_SUBREAPER = 36
EVERY = 0.5
"""Seconds between two looks (chosen); what a process does after the last one is not seen."""


def run_counted(command: Sequence[str]) -> tuple[int, float]:
    """Run ``command``; its exit status and the CPU seconds of all processes below this one while it ran."""
    if sys.platform == "linux":  # a daemon whose parent ends comes to this process and stays in its tree
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    used: dict[psutil.Process, float] = {}
    with subprocess.Popen(command) as process:
        while True:
            _look(used)
            try:
                return process.wait(EVERY), sum(used.values())
            except subprocess.TimeoutExpired:
                continue


def _look(used: dict[psutil.Process, float]) -> None:
    """Bring ``used`` up to date. A process is told from a later one of its number by the time it was made."""
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.Error:  # it ended since it was listed
            continue
        used[process] = times.user + times.system
