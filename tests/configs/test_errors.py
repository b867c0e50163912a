"""Exit statuses: 0 done, 1 stopped in the middle, 2 wrong input; errors are one line on stderr."""

from __future__ import annotations

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
