"""The two ways a command ends badly, and the exit status of each.

``UserError``: something the caller gave is wrong and nothing was started. One line, status 2.
``RunFailed``: work began and could not go on. The message says what is safe and how to go on,
status 1; ``DiskFailed`` where the disk does not take it. Anything else is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from configs.disk import disk_failure


class UserError(ValueError):
    """Bad input: the message is one line naming the field or file, what was found, what is allowed."""


class RunFailed(RuntimeError):
    """Work stopped in the middle: the message says what is safe and how to go on."""


class DiskFailed(RunFailed):
    """``path`` cannot be written, ``why`` the system said so, and what ``helps``. Survives pickling."""

    def __init__(self, path: Path, why: str, helps: str) -> None:
        super().__init__(path, why, helps)
        self.why, self.helps = why, helps

    def __str__(self) -> str:
        path, why, helps = self.args
        return (
            f"{path}: cannot be written ({why}): {helps}, and give the same command again; what was finished before is "
            "whole"
        )


def command(main: Callable[[list[str]], int | None], argv: list[str] | None = None) -> int:
    """Run ``main(argv)`` and turn its outcome into an exit status (0, 1 also when terminated, 2, or 130 when interrupted).

    SIGTERM interrupts ``main`` as Ctrl-C does, so that what it holds is let go of and half-written files are removed.
    """
    with _terminable() as terminated:
        try:
            return main(sys.argv[1:] if argv is None else argv) or 0
        except UserError as error:
            print(f"error: {one_line(error)}", file=sys.stderr)
            return 2
        except RunFailed as error:
            print(f"stopped: {one_line(error)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            how = "asked to end (SIGTERM)" if terminated.is_set() else "interrupted"
            print(f"stopped: {how}; committed work is kept, the same command goes on from it", file=sys.stderr)
            return 1 if terminated.is_set() else 130
        except BrokenPipeError:  # `... | head` closed our output: not an error of ours
            sys.stderr.close()
            return 0
        except OSError as error:
            failure = disk_failure(error)
            if failure is None:
                raise
            where = Path(error.filename2 or error.filename or "a file")
            print(f"stopped: {DiskFailed(where, *failure)}", file=sys.stderr)
            return 1


@contextlib.contextmanager
def _terminable() -> Iterator[threading.Event]:
    """SIGTERM raises KeyboardInterrupt, which libraries know (Ray takes no other exception out of its waits), and sets
    the event."""
    terminated = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # elsewhere Python takes no signals
        yield terminated
        return

    def terminate(_number: int, _frame: FrameType | None) -> None:
        terminated.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield terminated
    finally:
        signal.signal(signal.SIGTERM, before)


def one_line(error: BaseException) -> str:
    """What it says, without line breaks."""
    return " ".join(str(error).split())
