"""The CPU seconds of a command hold those of the daemons it leaves to themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DAEMON = """
import pathlib, sys, time
while time.process_time() < 2: pass
pathlib.Path(sys.argv[1]).touch()
"""
STARTER = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {DAEMON!r}, sys.argv[1]])"
COMMAND = f"""
import pathlib, subprocess, sys, time
subprocess.run([sys.executable, "-c", {STARTER!r}, sys.argv[1]])
while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)
"""
COUNT = "import sys; from trainer.monitor.cpu_time import run_counted; print(*run_counted(sys.argv[1:]))"


def test_a_daemons_seconds_are_counted(tmp_path: Path) -> None:
    # in a process of its own, because orphans come to it from then on
    command = [sys.executable, "-c", COUNT, sys.executable, "-c", COMMAND, str(tmp_path / "burnt")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    status, seconds = done.stdout.split()
    assert status == "0"
    assert float(seconds) > 1  # two, but for the part of a look's interval
