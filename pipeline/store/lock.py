"""One process at a time holds a run.

RUN/lock   held by flock: the kernel releases it when the process ends, however it ends
           content: who holds it; touched every few seconds, because on some network file
           systems flock does not reach other machines
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from configs import UserError
from configs.storage import ObjectPath
from pipeline.store.holder import STALE, Holder, this_process
from pipeline.store.object_lock import ObjectLock

_HEARTBEAT = 5.0
"""Seconds between two touches."""


def run_lock(path: Path, wait: bool = False) -> RunLock | ObjectLock:
    """A context manager that holds ``path``, wherever it lies. Raises UserError saying who else does, or waits."""
    return ObjectLock(path, wait) if isinstance(path, ObjectPath) else RunLock(path, wait)


class RunLock:
    """Context manager that holds ``path``. Raises UserError saying who else does, or waits for them."""

    def __init__(self, path: Path, wait: bool = False) -> None:
        self._path = path
        self._wait = wait
        self._ended = threading.Event()

    def __enter__(self) -> RunLock:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self._path.parent}: cannot be made: {error.strerror}; name another folder") from None
        announced = False
        while (holder := self._try()) is not None:
            if not self._wait:
                raise UserError(f"{self._path.parent} is in use by {holder}; wait for it with --wait, or end it first")
            if not announced:
                print(f"waiting for {holder}", flush=True)
                announced = True
            time.sleep(1)
        self._beat = threading.Thread(target=self._heartbeat, daemon=True)
        self._beat.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._beat.join()
        with contextlib.suppress(OSError):  # on a disk that fails: the kernel releases it all the same
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _try(self) -> Holder | str | None:
        """Take the lock and return None, or return who has it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UserError(
                f"{self._path.parent}: cannot be written to: {error.strerror}; name another folder"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _read(descriptor) or "another process that has just begun"
            os.close(descriptor)
            return other
        holder = _read(descriptor)
        age = time.time() - os.fstat(descriptor).st_mtime
        if holder and holder.host != socket.gethostname() and age < STALE:
            os.close(descriptor)
            return holder
        try:
            _write(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise UserError(
                f"{self._path}: cannot be written: {error.strerror}; make room, or name another folder"
            ) from None
        self._descriptor = descriptor
        return None

    def _heartbeat(self) -> None:
        while not self._ended.wait(_HEARTBEAT):
            with contextlib.suppress(OSError):  # what is wrong with the disk, whoever writes there tells
                os.utime(self._descriptor)


def _read(descriptor: int) -> Holder | None:
    return Holder.parse(os.pread(descriptor, 4096, 0))


def _write(descriptor: int) -> None:
    text = json.dumps(this_process().about())
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
    os.fsync(descriptor)
