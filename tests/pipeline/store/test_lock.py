"""One process holds a run; a dead one holds nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from configs import UserError
from pipeline.store.lock import STALE, RunLock

HOLD = "import sys, time; from pathlib import Path; from pipeline.store.lock import RunLock\nwith RunLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(float(sys.argv[2]))"


def holder(path: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    other = holder(tmp_path / "lock", 60)
    try:
        with (
            pytest.raises(UserError, match=rf"in use by process {other.pid} on \S+ since 20.*--wait"),
            RunLock(tmp_path / "lock"),
        ):
            pass
    finally:
        other.kill()
        other.wait()


def test_a_killed_holder_lets_go_at_once(tmp_path: Path) -> None:
    other = holder(tmp_path / "lock", 60)
    other.send_signal(signal.SIGKILL)
    other.wait()
    with RunLock(tmp_path / "lock"):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    assert (tmp_path / "lock").read_text() == ""


def test_waiting_ends_when_the_holder_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = holder(tmp_path / "lock", 1)
    with RunLock(tmp_path / "lock", wait=True):
        assert other.wait(timeout=10) == 0
    assert capsys.readouterr().out.startswith(f"waiting for process {other.pid} on ")


def test_a_holder_on_another_machine_counts_while_its_heart_beats(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": 1, "host": f"not-{socket.gethostname()}", "since": "2026-01-01"}))
    with pytest.raises(UserError, match="process 1 on not-"), RunLock(path):
        pass
    past = time.time() - STALE - 1
    os.utime(path, (past, past))
    with RunLock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_lock_on_a_full_disk_is_refused_in_one_line_and_free_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UserError, match=r"lock: cannot be written: No space left on device; make room"):
        RunLock(tmp_path / "lock").__enter__()
    monkeypatch.undo()
    with RunLock(tmp_path / "lock"):
        pass
