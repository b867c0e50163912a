"""A child process with limits, where hostile pictures are looked at.

    worker ──request──> child: job.run(items)        one child per worker, kept as long as it behaves
           <──reply───  crash, hang, memory: killed, and started again for the next request

A group of items that fails is cut into smaller ones until the single item is found: that one is
``Failed``, all others get their result. The child dies with its worker, also when the worker is
killed: its death signal is tied to the thread that started it, and that thread lives as long as
the child does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from configs import RunFailed, UserError
from pipeline.watch import beat

HEADER = struct.Struct("<Q")
"""Length of the pickled message that follows."""

_TICK = 0.05
"""Seconds between two looks at the child's memory: it can grow by some 100 MB in this time."""

_PIPE_BYTES = 1 << 20
"""Of a pipe, so that a picture goes through it without a change of process for every 64 KB; chosen."""

TOGETHER, SMALL = 16, 250_000
"""Pictures that a child is handed at a time, because handing over takes as long as reading a small one; larger than so
many bytes, they go one by one; chosen."""

_SETUP_SECONDS = 900.0
"""Loading models may take this long on a busy machine. Chosen."""


class Job(Protocol):
    """What runs in the child. Picklable before ``setup``."""

    def setup(self) -> None: ...

    def run(self, items: list[Any]) -> list[Any]:
        """One result per item, in order. An exception fails the whole group, which is then cut."""


@dataclass(frozen=True)
class GuardConfig:
    """Limits on one look at one group of pictures. ``memory_mb``: growth over the child's size after loading its
    models. ``retries``: further attempts for a picture whose child crashed, hung or grew, before it is failed."""

    seconds: float = 120.0
    memory_mb: int = 4096
    retries: int = 1

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.memory_mb < 1 or self.retries < 0:
            raise ValueError("seconds and memory_mb must be positive, retries not negative")


@dataclass(frozen=True)
class Failed:
    """An item without a result, and why. ``reason``: which of store/failures.py's REASONS that is."""

    error: str
    reason: str = field(default="error", compare=False)


class _ChildLost(Exception):
    """The child was ended or ended itself while it worked; the message says how."""

    def __init__(self, message: str, reason: str = "crash") -> None:
        super().__init__(message)
        self.reason = reason


class Stopped(Exception):
    """The thread that asked shall end, see ``stop_by``."""


_stop = threading.local()


def stop_by(event: threading.Event) -> None:
    """Let what this thread asks of its children end with ``Stopped`` once ``event`` is set."""
    _stop.event = event


class Guard:
    """Runs a job in a guarded child. Use as a context manager, or ``close`` it."""

    def __init__(self, job: Job, config: GuardConfig) -> None:
        self._job = job
        self._config = config
        self._child: _Child | None = None
        self._progress = (0, 0)

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child:
            self._child.kill()
            self._child = None

    def map(self, items: Sequence[Any], widths: Sequence[int] = (1,), alone: Collection[int] = ()) -> Iterator[Any]:
        """A result or ``Failed`` per item, in order; groups have the sizes of the ladder ``widths``, but for the items at
        the places ``alone``."""
        self._progress = (0, len(items))
        for group in cut(items, widths, alone):
            results = self._attempt(group, widths)
            self._progress = (self._progress[0] + len(group), len(items))
            yield from results

    def _attempt(self, group: Sequence[Any], widths: Sequence[int]) -> list[Any]:
        for left in range(self._config.retries if len(group) == 1 else 0, -1, -1):
            try:
                outcome = self._call(list(group))
                break
            except _ChildLost as lost:
                self.close()
                outcome = Failed(str(lost), lost.reason)
                if not left:
                    break
        if not isinstance(outcome, Failed):
            return outcome
        if len(group) == 1:
            return [outcome]
        smaller = [w for w in widths if w < len(group)] or [1]
        return [result for part in cut(group, smaller) for result in self._attempt(part, smaller)]

    def _call(self, group: list[Any]) -> list[Any] | Failed:
        if self._child is None:
            self._child = _loaded(self._job, self._config.memory_mb)
        try:
            kind, value = self._child.ask(group, self._config.seconds)
        finally:
            beat(*self._progress)  # also a picture that crashed its child is progress
        if kind == "stop":
            raise RunFailed(value)
        return value  # of "done" a result each, of "error" one Failed


@contextlib.contextmanager
def started_ahead(jobs: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Start children that get ready while this process prepares: for small work, of which half is the start of processes.
    ``jobs``: the module of a job, whose next guard takes the child, and what else the child imports or, as
    ``module:function``, calls."""
    _ahead.update({job: _Child((job, *others)) for job, others in jobs.items()})
    try:
        yield
    finally:
        for job in jobs:
            if child := _ahead.pop(job, None):
                child.kill()


def load_ahead(job: Job, config: GuardConfig) -> None:
    """Load ``job`` in the child that was started for its kind. Raises UserError or RunFailed where it cannot be loaded."""
    _ahead[type(job).__module__] = _loaded(job, config.memory_mb)


def _loaded(job: Job, memory_mb: int) -> _Child:
    """A child with the job: one that was started ahead, where it holds this job or none yet."""
    child = _ahead.pop(type(job).__module__, None) or _Child()
    if child.job is not None and child.job != job:
        child.kill()
        child = _Child()
    if child.job is None:
        child.load(job, memory_mb)
    return child


_ahead: dict[str, _Child] = {}


def cut(items: Sequence[Any], widths: Sequence[int], alone: Collection[int] = ()) -> list[Sequence[Any]]:
    """Cut a sequence into groups whose sizes come from ``widths``, widest first; what is left goes one by one, and so do
    the items at the places ``alone``."""
    groups: list[Sequence[Any]] = []
    start = 0
    for end in sorted({place + step for place in alone for step in (0, 1)} | {len(items)}):
        for width in sorted({*widths, 1}, reverse=True):
            while end - start >= width:
                groups.append(items[start : start + width])
                start += width
    return groups


class _Child:
    """The process, its two pipes, and the thread that started it and waits for its end. ``first``: what it
    imports or calls before it is asked for anything, see ``started_ahead``."""

    def __init__(self, first: Sequence[str] = ()) -> None:
        self.job: Job | None = None
        self._first = tuple(first)
        self._ceiling: float = float("inf")
        down, self._to = os.pipe()
        self._from, up = os.pipe()
        for pipe in (down, up):
            with contextlib.suppress(OSError):  # above what the system grants
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        started = threading.Event()
        self._keeper = threading.Thread(target=self._keep, args=(down, up, started), daemon=True)
        self._keeper.start()
        started.wait()
        os.close(down)
        os.close(up)

    def load(self, job: Job, memory_mb: int) -> None:
        """Hand over the job. Raises UserError or RunFailed where it cannot be loaded; the process has ended then."""
        kind, value = self._first_reply(job)
        if kind != "ready":
            self.kill()
            raise UserError(value) if kind == "user error" else RunFailed(value)
        self.job = job
        self._ceiling = self._memory() + memory_mb * 1e6

    def ask(self, group: list[Any], seconds: float) -> tuple[str, Any]:
        """Send a group and return the reply. Raises ChildLost."""
        deadline = time.monotonic() + seconds
        self._send(group, deadline, seconds)
        return self._receive(deadline, seconds)

    def kill(self) -> None:
        """End the process and free the pipes. Its own children are in its session and end with it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._keeper.join()
        for descriptor in (self._to, self._from):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _keep(self, down: int, up: int, started: threading.Event) -> None:
        arguments = f"{down}, {up}, {self._first!r}"
        code = f"import sys; sys.path[:] = {sys.path!r}; from pipeline.sandbox.child import main; main({arguments})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.DEVNULL, pass_fds=(down, up), start_new_session=True
        )
        started.set()
        self._process.wait()

    def _first_reply(self, job: Job) -> tuple[str, Any]:
        deadline = time.monotonic() + _SETUP_SECONDS
        try:
            self._send((os.getpid(), job), deadline, _SETUP_SECONDS)
            return self._receive(deadline, _SETUP_SECONDS)
        except _ChildLost as lost:
            name = type(job).__name__
            return "failed", f"{name} {lost} while it was loading; committed fragments are safe, see the log of Ray"

    def _send(self, message: Any, deadline: float, seconds: float) -> None:
        data = pickle.dumps(message, protocol=5)
        view = memoryview(HEADER.pack(len(data)) + data)
        while view:
            try:
                view = view[os.write(self._to, view) :]
            except BlockingIOError:
                self._wait(self._to, select.POLLOUT, deadline, seconds)
            except BrokenPipeError:
                raise self._lost() from None

    def _receive(self, deadline: float, seconds: float) -> tuple[str, Any]:
        (length,) = HEADER.unpack(self._read(HEADER.size, deadline, seconds))
        return pickle.loads(self._read(length, deadline, seconds))

    def _read(self, length: int, deadline: float, seconds: float) -> bytearray:
        data = bytearray(length)
        left = memoryview(data)
        while left:
            try:
                found = os.readv(self._from, [left])
            except BlockingIOError:
                self._wait(self._from, select.POLLIN, deadline, seconds)
                continue
            if not found:
                raise self._lost()
            left = left[found:]
        return data

    def _wait(self, descriptor: int, ready: int, deadline: float, seconds: float) -> None:
        """Until the pipe is ready; raises ChildLost when time or memory ran out before, Stopped as ``stop_by`` says."""
        poll = select.poll()
        poll.register(descriptor, ready)
        while not poll.poll(_TICK * 1000):
            if (event := getattr(_stop, "event", None)) and event.is_set():
                raise Stopped
            if time.monotonic() > deadline:
                raise _ChildLost(f"did not end within {seconds:g} s", "timeout")
            if self._memory() > self._ceiling:
                raise _ChildLost("used more memory than guard.memory_mb allows", "memory")

    def _lost(self) -> _ChildLost:
        """How the process ended; its end of the pipe closes a moment before it can be waited for."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(timeout=5)
            if status < 0:
                return _ChildLost(f"crashed: {signal.Signals(-status).name}")
            return _ChildLost(f"ended with status {status}")
        return _ChildLost("closed its pipe")

    def _memory(self) -> float:
        """Resident bytes of the child; 0 when it is gone, which reading its pipe will show."""
        try:
            with open(f"/proc/{self._process.pid}/statm") as file:
                return int(file.read().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0.0


_PAGE = os.sysconf("SC_PAGE_SIZE")
