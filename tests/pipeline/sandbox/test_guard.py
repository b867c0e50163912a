"""The guarded child: whatever an item does costs that item and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from configs import RunFailed
from pipeline.sandbox.guard import Failed, Guard, GuardConfig, cut, load_ahead, started_ahead
from tests.pipeline.hooks import EqualJob, Obedient
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


def test_a_child_started_ahead_is_taken_once_and_what_nobody_takes_ends() -> None:
    with started_ahead({"tests.pipeline.hooks": ("json", "os:getpid")}):
        first, second = Guard(Obedient(), GuardConfig()), Guard(Obedient(), GuardConfig())
        ahead = list(started_ahead_pids())
        with first, second:
            pids = [next(iter(guard.map(["a"])))[2] for guard in (first, second, first)]
        assert pids[0] == pids[2] != pids[1]
        assert ahead == [pids[0]]
    with started_ahead({"tests.pipeline.hooks": ()}):
        (left,) = started_ahead_pids()
        assert _alive(left)
    wait_until(lambda: not _alive(left))


def test_a_job_loaded_ahead_is_not_loaded_again_and_another_one_is(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    with started_ahead({"tests.pipeline.hooks": ()}):
        load_ahead(EqualJob(one), GuardConfig())
        (ahead,) = started_ahead_pids()
        with Guard(EqualJob(one), GuardConfig()) as guard:
            assert next(iter(guard.map(["a"])))[2] == ahead
    assert Path(f"{one}.setups").read_text() == "setup\n"
    with started_ahead({"tests.pipeline.hooks": ()}):
        load_ahead(EqualJob(one), GuardConfig())
        (ahead,) = started_ahead_pids()
        with Guard(EqualJob(other), GuardConfig()) as guard:
            assert next(iter(guard.map(["a"])))[2] != ahead
        wait_until(lambda: not _alive(ahead))
    assert Path(f"{other}.setups").read_text() == "setup\n"
    assert Path(other).read_text() == "a\n"


def test_a_job_that_cannot_be_loaded_ahead_says_so_and_leaves_no_child() -> None:
    with started_ahead({"tests.pipeline.hooks": ()}):
        (ahead,) = started_ahead_pids()
        with pytest.raises(RunFailed, match="Obedient could not be loaded: OSError: the weights are gone"):
            load_ahead(Obedient("broken"), GuardConfig())
        assert not list(started_ahead_pids())
        wait_until(lambda: not _alive(ahead))


def started_ahead_pids() -> Iterator[int]:
    for process in psutil.Process().children():
        if "tests.pipeline.hooks" in " ".join(process.cmdline()):
            yield process.pid


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
