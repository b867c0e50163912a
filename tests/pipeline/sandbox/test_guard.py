"""The guarded child: whatever an item does costs that item and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from configs import RunFailed
from pipeline.sandbox.guard import Failed, Guard, GuardConfig, cut
from tests.pipeline.hooks import Obedient
from tests.waiting import wait_until


def test_groups_have_the_sizes_of_the_ladder() -> None:
    assert [len(g) for g in cut(range(23), (16, 4))] == [16, 4, 1, 1, 1]
    assert [x for g in cut(range(23), (16, 4)) for x in g] == list(range(23))
    assert cut([], (4,)) == []
    assert [list(g) for g in cut(range(10), (4,), (4, 5, 9))] == [[0, 1, 2, 3], [4], [5], [6], [7], [8], [9]]


def test_each_misdeed_costs_exactly_its_item(tmp_path: Path) -> None:
    items = [f"good-{i}" for i in range(9)]
    items[1], items[3], items[5], items[6] = "sigsegv-1", "hang-3", "eat-5", "raise-6"
    with Guard(Obedient(), GuardConfig(seconds=6, memory_mb=300, retries=0)) as guard:
        results = list(guard.map(items, (4, 1)))
    errors = {item: r.error for item, r in zip(items, results, strict=True) if isinstance(r, Failed)}
    assert errors == {
        "sigsegv-1": "crashed: SIGSEGV",
        "hang-3": "did not end within 6 s",
        "eat-5": "used more memory than guard.memory_mb allows",
        "raise-6": "ValueError: no good: raise-6",
    }
    assert [r[0] for r in results if not isinstance(r, Failed)] == [i for i in items if i not in errors]


def test_a_well_behaved_child_is_kept() -> None:
    with Guard(Obedient(), GuardConfig()) as guard:
        results = [r for r in guard.map(["a", "raise-b", "c", "d"], (2,)) if not isinstance(r, Failed)]
    assert len({pid for _, _, pid in results}) == 1
    assert {pid for _, _, pid in results} != {os.getpid()}


def test_a_crash_is_tried_again_so_often_and_no_more(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Guard(Obedient(str(log)), GuardConfig(retries=2)) as guard:
        assert [type(r) for r in guard.map(["sigsegv"])] == [Failed]
    assert log.read_text().split() == ["sigsegv"] * 3


def test_a_job_that_cannot_be_loaded_stops_the_run() -> None:
    with pytest.raises(RunFailed, match="Obedient could not be loaded: OSError: the weights are gone"):
        list(Guard(Obedient("broken"), GuardConfig()).map(["a"]))


def test_the_child_dies_with_its_killed_parent(tmp_path: Path) -> None:
    code = (
        "from pipeline.sandbox.guard import Guard, GuardConfig; from tests.pipeline.hooks import Obedient\n"
        "guard = Guard(Obedient(), GuardConfig())\n"
        "print(list(guard.map(['a']))[0][2], flush=True)\n"
        "list(guard.map(['hang']))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not _alive(child))


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
