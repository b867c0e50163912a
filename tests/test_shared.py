"""What all workers read is made once and whole; the long files, which come first, are there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LONG_FILES
from tests.shared import Shared

MAKER = """
import sys, time
from pathlib import Path
from tests.shared import Shared

def make(folder):
    with open(sys.argv[2], "a") as log:
        log.write("made\\n")
    (folder / "first").touch()
    time.sleep(0.5)
    (folder / "last").touch()

assert (Shared(Path(sys.argv[1]))("thing", make) / "last").exists()
"""


def test_two_processes_that_ask_at_the_same_time_make_it_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKER, str(tmp_path / "shared"), str(tmp_path / "log")]
    both = [subprocess.Popen(command, cwd=Path(__file__).parents[1]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "made\n"


def test_a_failed_maker_leaves_nothing_that_looks_made(tmp_path: Path) -> None:
    shared = Shared(tmp_path)

    def fails(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        shared("thing", fails)
    folder = shared("thing", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]
    assert shared("thing", fails) == folder


def test_the_long_files_are_there() -> None:
    assert [name for name in LONG_FILES if not (Path(__file__).parent / name).exists()] == []
