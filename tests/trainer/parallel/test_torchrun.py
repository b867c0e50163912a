"""What is wrong with a command is told once, however many processes were started with it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import DEADLINE_S


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["fit", "CONFIG", "OUT", "--data", "DATA"], "unknown field 'bogus'"),
        (["fit", "CONFIG", "OUT", "--data", "DATA", "--dry-run"], "fit --dry-run is for one process"),
    ],
)
def test_two_processes_say_it_once(command: list[str], line: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("bogus: 1\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    there = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    arguments = [sys.executable, "-m", "trainer", *(str(config) if word == "CONFIG" else word for word in command)]
    processes = [
        subprocess.Popen(arguments, env={**os.environ, **there, "RANK": str(rank)}, text=True, stderr=subprocess.PIPE)
        for rank in (0, 1)
    ]
    told = [process.communicate(timeout=DEADLINE_S)[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [1, 2]
    assert sum(line in text for text in told) == 1
    assert "Traceback" not in "".join(told)
