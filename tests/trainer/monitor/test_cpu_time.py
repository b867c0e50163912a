"""The CPU seconds of a command hold those of the daemons it leaves."""

from __future__ import annotations

import subprocess
import sys

BURN = "import time\nwhile time.process_time() < 0.3: pass"
ORPHAN = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BURN!r}], start_new_session=True)"
COUNT = f"import sys; from trainer.monitor.cpu_time import run_counted; print(run_counted([sys.executable, '-c', {ORPHAN!r}]))"


def test_an_orphans_seconds_are_counted() -> None:
    # in a process of its own, because it waits for every child there is
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    status, seconds = eval(done.stdout)
    assert status == 0
    assert seconds >= 0.3
