"""One process at a time holds a run in an object store, where no kernel lets go of what a dead process held.

RUN/lock   {pid, host, since, machine, token, beat}: put anew every few seconds, each time in place of the version before;
           {} when it is let go

A watcher takes a lock whose version stands still for ``STALE`` seconds of the watcher's own clock, by a conditional put:
one of several gets it. Who has lost it is told by the fence (configs/storage/fence.py) before it replaces anything.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from configs import RunFailed, UserError
from configs.storage import ObjectPath, StorageFailed
from configs.storage.client import before_work
from configs.storage.fence import fenced
from configs.storage.writing import put_if
from pipeline.store.holder import STALE, Holder, this_process

if TYPE_CHECKING:
    from obstore import PutMode

_HEARTBEAT = 5.0
"""Seconds between two signs of life; chosen."""


class ObjectLock:
    """Context manager that holds ``path``. Raises UserError saying who else does, or waits for them.

    ``clock``: seconds that only go forward; ``pause``: waits between two looks. Tests have their own.
    """

    def __init__(
        self,
        path: ObjectPath,
        wait: bool = False,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._path, self._wait, self._clock, self._pause = path, wait, clock, pause
        self._token, self._beats = uuid.uuid4().hex, 0
        self._version: PutMode = "create"
        self._turn, self._ended = threading.Lock(), threading.Event()

    def __enter__(self) -> ObjectLock:
        with before_work("RUN"):
            self._acquire()
        self._fence = fenced(self._path.parent, self.check)
        self._fence.__enter__()
        self._thread = threading.Thread(target=self._heartbeat, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self._fence.__exit__(kind, error, at)
        with contextlib.suppress(StorageFailed):  # others find out by waiting
            put_if(self._path, b"{}", self._version)

    def check(self) -> None:
        """Raise RunFailed where another process has taken the lock."""
        with self._turn:
            there = self._path.stat_now()
            if not self._is_mine(there.update):
                self._say_lost()

    def beat(self) -> None:
        """Give a sign of life. Raises RunFailed where another process has taken the lock."""
        with self._turn:
            if not self._put(self._version) and not self._is_mine(None):
                self._say_lost()

    def _acquire(self) -> None:
        seen, since, announced = None, self._clock(), False
        while True:
            holder, version = self._read()
            if holder is None or holder.is_dead_here():
                if self._put(version):
                    return
                continue
            if version != seen:
                if seen is not None and not self._wait:  # it gave a sign of life
                    where = self._path.parent
                    raise UserError(f"{where} is in use by {holder}; wait for it with --wait, or end it first")
                seen, since = version, self._clock()
            elif self._clock() - since >= STALE:
                if self._put(version):
                    print(f"{holder} gave no sign of life for {STALE:.0f} s: going on without it", flush=True)
                    return
                continue
            if not announced:
                print(f"waiting for {holder}, or {STALE:.0f} s without a sign of life from it", flush=True)
                announced = True
            self._pause(1.0)

    def _read(self) -> tuple[Holder | None, PutMode]:
        """Who holds it, if anybody does, and how to replace this version of it."""
        try:
            data, version = self._path.read_version()
        except FileNotFoundError:
            return None, "create"
        return Holder.parse(data), version

    def _put(self, version: PutMode) -> bool:
        """Put a sign of life in place of ``version``; whether it was that one."""
        self._beats += 1
        text = json.dumps(this_process().about() | {"token": self._token, "beat": self._beats})
        put = put_if(self._path, text.encode(), version)
        if put is not None:
            self._version = put
        return put is not None

    def _is_mine(self, version: PutMode | None) -> bool:
        """Whether this version is ours; also one whose put went well without our hearing of it."""
        if version == self._version:
            return True
        with contextlib.suppress(FileNotFoundError):
            data, found = self._path.read_version()
            if f'"{self._token}"'.encode() in data:
                self._version = found
                return True
        return False

    def _say_lost(self) -> None:
        holder, _ = self._read()
        raise RunFailed(
            f"{self._path.parent}: {holder or 'another process'} has taken over this run, because this process gave no "
            f"sign of life for {STALE:.0f} s; it commits nothing more, what was committed is whole; let the other one end"
        )

    def _heartbeat(self) -> None:
        while not self._ended.wait(_HEARTBEAT):
            try:
                self.beat()
            except StorageFailed:
                continue  # what is wrong with the store, whoever writes there tells
            except RunFailed:
                return  # the fence tells
