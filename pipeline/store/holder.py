"""Who holds a run: what a lock says of the process that has it."""

from __future__ import annotations

import datetime
import functools
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

STALE = 60.0
"""Seconds without a sign of life after which a holder on another machine counts as gone; chosen."""


@dataclass(frozen=True)
class Holder:
    """``machine``: what only processes that see each other's ids have in common; null where the system tells no such
    thing, or in a lock of an earlier version."""

    pid: int
    host: str
    since: str
    machine: str | None = None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"

    @classmethod
    def parse(cls, data: bytes) -> Holder | None:
        """None where nobody says anything."""
        try:
            found = json.loads(data)
            return cls(**{name: found.get(name) for name in cls.__dataclass_fields__}) if found else None
        except (ValueError, TypeError, AttributeError, RecursionError):
            return None

    def about(self) -> dict[str, str | int | None]:
        return asdict(self)

    def is_dead_here(self) -> bool:
        """Whether it was a process of this machine and is no more."""
        return self.machine is not None and self.machine == _machine() and not Path(f"/proc/{self.pid}").exists()


def this_process() -> Holder:
    since = datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return Holder(os.getpid(), socket.gethostname(), since, _machine())


@functools.cache
def _machine() -> str | None:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None
