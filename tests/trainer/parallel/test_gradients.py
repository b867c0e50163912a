"""The norm over gradients that are divided twice, by heads and by samples."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.waiting import DEADLINE_S


def test_each_part_is_counted_once_whatever_is_divided() -> None:
    """With gradients of ones the square of the norm is the number of weights. In a process of its own, which can pretend
    to be one of four."""
    command = [sys.executable, "-m", "tests.trainer.parallel.four_ranks"]
    told = subprocess.run(command, text=True, capture_output=True, check=True, timeout=DEADLINE_S).stdout
    squares = json.loads(told.splitlines()[-1])
    assert len(squares) > 30
    for name, (square, count) in squares.items():
        assert square == pytest.approx(count), name
