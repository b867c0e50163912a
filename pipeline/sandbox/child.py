"""The inside of a guarded child process: load the job, then answer one request after the other.

The parent's limits are its own affair; this side sees to it that it dies with the parent, and that
the kernel takes it first when the machine runs out of memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import pkgutil
import re
import signal
from collections.abc import Sequence
from typing import Any, BinaryIO

from configs import RunFailed, UserError
from pipeline.sandbox.guard import HEADER, Failed

_PR_SET_PDEATHSIG = 1


def main(down: int, up: int, first: Sequence[str] = ()) -> None:
    """Serve requests from descriptor ``down`` on ``up`` until it closes. ``first``: modules that are imported and
    functions, ``module:function``, that are called before."""
    with os.fdopen(down, "rb") as requests, os.fdopen(up, "wb") as replies:
        for name in first:
            found = pkgutil.resolve_name(name)
            if ":" in name:
                found()
        try:
            parent, job = _receive(requests)
        except EOFError:  # started ahead, and not needed
            return
        _die_with(parent)
        reply = _prepare(job)
        _send(replies, reply)
        if reply[0] != "ready":
            return
        with contextlib.suppress(EOFError):
            while True:
                items = _receive(requests)
                _send(replies, _answer(job, items))


def describe(error: BaseException) -> str:
    """One line for failures/: the message of what we raise ourselves, with its type for everything else. Without
    addresses in memory, for committed files are the same in every run; as UTF-8 can hold it, whatever it quotes."""
    text = " ".join(str(error).encode("utf-8", "backslashreplace").decode().split())
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    expected = type(error).__name__ in ("Refused", "DecodeError")
    if isinstance(error, MemoryError):
        text, expected = "not enough memory", True
    return (text if expected and text else f"{type(error).__name__}: {text}")[:500]


def failed(error: Exception) -> Failed:
    """What an error means for its item."""
    return Failed(describe(error), _reason(error))


def _reason(error: BaseException) -> str:
    """Which of store/failures.py's REASONS the error is; a Refused says it itself."""
    if isinstance(error, MemoryError):
        return "memory"
    kind = type(error).__name__
    return "undecodable" if kind == "DecodeError" else error.reason if kind == "Refused" else "error"  # type: ignore[attr-defined]


def _prepare(job: Any) -> tuple[str, str]:
    try:
        job.setup()
    except UserError as error:
        return "user error", str(error)
    except RunFailed as error:
        return "failed", str(error)
    except Exception as error:
        return "failed", f"{type(job).__name__} could not be loaded: {describe(error)}; committed fragments are safe"
    return "ready", ""


def _answer(job: Any, items: list[Any]) -> tuple[str, Any]:
    try:
        results = job.run(items)
    except RunFailed as error:  # not this picture's fault: nothing can be read like this
        return "stop", str(error)
    except Exception as error:  # whatever a picture provokes becomes its row in failures/
        return "error", failed(error)
    if len(results) != len(items):
        return "error", Failed(f"{type(job).__name__} gave {len(results)} results for {len(items)} items")
    return "done", results


def _die_with(parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we could say that we go with it
        os._exit(1)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _receive(stream: BinaryIO) -> Any:
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        raise EOFError
    (length,) = HEADER.unpack(header)
    return pickle.loads(stream.read(length))


def _send(stream: BinaryIO, reply: tuple[str, Any]) -> None:
    data = pickle.dumps(reply, protocol=5)
    stream.write(HEADER.pack(len(data)))
    stream.write(data)
    stream.flush()
