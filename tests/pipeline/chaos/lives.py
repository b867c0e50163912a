"""Lives of a command that end at fault points: forks of a process that has imported everything, working without Ray.

    Death(change=7)   before it links, renames, removes a file, or puts an object, for the 7th time
    Death(after=0.3)  0.3 s after its beginning, wherever it is then

What looks at pictures is a real guarded child, which a segmentation fault, an endless wait and a hunger for memory end; it is
forked, too, because starting a Python for each takes a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from configs.storage import ObjectPath, writing
from pipeline.sandbox import child, guard
from tests.pipeline.inline import work_inline

_CHANGES = ("os.link", "os.rename", "os.remove", "os.rmdir", "os.truncate")
_DIED = 137
"""Status of a life that ended before a change, as after SIGKILL."""


@dataclass(frozen=True)
class Death:
    """When a life ends, if it has not come to its end before: ``change``: before which one of its changes, ``after``: so
    many seconds after its beginning."""

    change: int | None = None
    after: float | None = None


class ForkedChild(guard._Child):
    """A guarded child that is forked."""

    def _keep(self, down: int, up: int, started: threading.Event) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                signal.setitimer(signal.ITIMER_REAL, 0)
                # as Popen does: with the lock of the run among them, it would hold that when the life has ended
                for descriptor in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, down, up}:
                    with contextlib.suppress(OSError):  # the one that listed them
                        os.close(descriptor)
                child.main(down, up)
            finally:
                os._exit(0)
        self._process = _Process(pid)  # type: ignore[assignment]
        started.set()
        self._process.reap()  # type: ignore[attr-defined]


class _Process:
    """What the guard asks of a process."""

    def __init__(self, pid: int) -> None:
        self.pid, self._status, self._gone = pid, 0, threading.Event()

    def reap(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        self._status = os.waitstatus_to_exitcode(status)
        self._gone.set()

    def wait(self, timeout: float | None = None) -> int:
        if not self._gone.wait(timeout):
            raise subprocess.TimeoutExpired("guarded child", timeout or 0)
        return self._status


def begin(work: Callable[[], object], death: Death | None = None) -> int:
    """Start a life that does ``work``; returns its process id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            patch = pytest.MonkeyPatch()
            work_inline(patch, guarded=True)
            patch.setattr(guard, "_Child", ForkedChild)
            if death:
                _meet(death, patch)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def end(pid: int) -> bool:
    """Wait for a life; whether it came to its end. Raises AssertionError for one that failed instead of dying."""
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, _DIED, -signal.SIGALRM, -signal.SIGKILL), f"a life failed with status {code}"
    return code == 0


def live(work: Callable[[], object], death: Death | None = None) -> bool:
    """A life from its beginning to its end, see ``end``."""
    return end(begin(work, death))


def told_apart(ask: Callable[[], Any]) -> Any:
    """What ``ask`` gives, computed in a fork: threads that libraries start, such as those of an object store, do not live
    on in later forks of this process."""
    reading, writing_ = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with os.fdopen(writing_, "w") as out:
                out.write(json.dumps(ask()))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing_)
    with os.fdopen(reading) as found:
        text = found.read()
    os.waitpid(pid, 0)
    assert text, "the fork gave no answer"
    return json.loads(text)


def _meet(death: Death, patch: pytest.MonkeyPatch) -> None:
    if death.after is not None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, max(death.after, 0.001))
    if death.change is None:
        return
    seen, mine = 0, os.getpid()

    def count() -> None:
        nonlocal seen
        seen += os.getpid() == mine
        if seen == death.change:
            os._exit(_DIED)

    def hook(event: str, _: object) -> None:
        if event in _CHANGES:
            count()

    put, unlink = writing.put_if, ObjectPath.unlink

    def counted_put(*arguments: Any) -> Any:
        count()
        return put(*arguments)

    def counted_unlink(path: ObjectPath, *arguments: Any, **named: Any) -> Any:
        count()
        return unlink(path, *arguments, **named)

    sys.addaudithook(hook)
    patch.setattr(writing, "put_if", counted_put)
    patch.setattr(ObjectPath, "unlink", counted_unlink)
