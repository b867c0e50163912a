"""Exit statuses: 0 done, 1 stopped in the middle, 2 wrong input; errors are one line on stderr."""

from __future__ import annotations

import os
import signal
import time

import pytest

from configs import RunFailed, UserError, command


@pytest.mark.parametrize(
    ("error", "status", "start"),
    [(UserError("bad\n  field"), 2, "error: bad field"), (RunFailed("half done"), 1, "stopped: half done")],
)
def test_failures_become_a_line_and_a_status(error: Exception, status: int, start: str, capsys) -> None:
    def main(argv: list[str]) -> int:
        raise error

    assert command(main, []) == status
    assert capsys.readouterr().err == start + "\n"


def test_success_is_zero_and_arguments_arrive() -> None:
    assert command(lambda argv: None if argv == ["x"] else 5, ["x"]) == 0


def test_a_defect_of_ours_keeps_its_traceback() -> None:
    def main(argv: list[str]) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command(main, [])


@pytest.mark.parametrize(("number", "status", "told"), [(signal.SIGTERM, 1, "SIGTERM"), (signal.SIGINT, 130, "interr")])
def test_a_signal_ends_a_command_in_one_line_and_lets_it_clean_up(number, status, told, capsys) -> None:
    before, cleaned = signal.getsignal(signal.SIGTERM), []

    def main(argv: list[str]) -> None:
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)
        finally:
            cleaned.append(True)

    assert command(main, []) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stopped: ")
    assert told in line
    assert cleaned
    assert signal.getsignal(signal.SIGTERM) == before
