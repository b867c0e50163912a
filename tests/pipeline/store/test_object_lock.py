from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from configs import RunFailed, UserError
from configs.files import replace_text
from configs.storage import ObjectPath
from pipeline.store.holder import STALE
from pipeline.store.lock import run_lock
from pipeline.store.object_lock import ObjectLock

if TYPE_CHECKING:
    from tests.object_store import Proxy


class Clock:
    """A watcher's: every look takes ten seconds of it, and ``between`` happens meanwhile."""

    def __init__(self, between: Callable[[], object] = lambda: None) -> None:
        self.now, self.between = 0.0, between

    def __call__(self) -> float:
        return self.now

    def pause(self, _seconds: float) -> None:
        self.now += 10
        self.between()


def lock_of(bucket: Path, wait: bool = False, clock: Clock | None = None) -> ObjectLock:
    path = bucket / "run" / "lock"
    assert isinstance(path, ObjectPath)
    clock = clock or Clock()
    return ObjectLock(path, wait, clock, clock.pause)


def test_who_holds_it_is_named_once_it_gives_a_sign_of_life(bucket: Path) -> None:
    with lock_of(bucket) as first, pytest.raises(UserError, match=r"s3://bucket-\d+/run is in use by process \d+ on"):
        lock_of(bucket, clock=Clock(first.beat)).__enter__()
    with run_lock(bucket / "run" / "lock"):
        pass  # it was let go


def test_who_waits_gets_it_when_it_is_let_go(bucket: Path) -> None:
    first = lock_of(bucket)
    first.__enter__()
    looks = iter([first.beat, first.beat, lambda: first.__exit__(None, None, None)])
    with lock_of(bucket, wait=True, clock=(clock := Clock(lambda: next(looks)()))):
        assert clock.now == 30


def test_a_paused_holder_is_taken_over_after_a_minute_and_commits_nothing_more(bucket: Path) -> None:
    run, paused, clock = bucket / "run", lock_of(bucket), Clock()
    with paused:
        replace_text(run / "decisions.json", "of the first")
        with lock_of(bucket, clock=clock):
            assert clock.now >= STALE
            replace_text(run / "decisions.json", "of the second")
        other = lock_of(bucket)
        other.__enter__()
        from configs.storage import fence

        fence._fences[run] = paused.check  # both live in this process; each has its own fence
        with pytest.raises(
            RunFailed, match=r"has taken over this run, because this process gave no sign of life for 60 s"
        ) as told:
            replace_text(run / "decisions.json", "late")
        assert "\n" not in str(told.value)
        with pytest.raises(RunFailed, match="has taken over"):
            paused.beat()
        fence._fences[run] = other.check
        replace_text(run / "decisions.json", "of the third")
        other._ended.set()
    assert (run / "decisions.json").read_text() == "of the third"
    assert "token" in json.loads((run / "lock").read_text()), "who lost it does not let go of another's"


def test_of_several_watchers_one_gets_it(bucket: Path) -> None:
    path = bucket / "run" / "lock"
    replace_text(path, json.dumps({"pid": 1, "host": "gone", "since": "before", "token": "x", "beat": 1}))
    locks = [lock_of(bucket) for _ in range(6)]
    versions = [lock._read()[1] for lock in locks]
    # One after the other: that conditional writes do not overlap is the store's promise, which moto's threads do not keep.
    got = [lock._put(version) for lock, version in zip(locks, versions, strict=True)]
    assert got == [True] + [False] * 5


def test_a_process_of_this_machine_that_is_dead_is_not_waited_for(bucket: Path) -> None:
    from pipeline.store.holder import this_process

    code = "from pipeline.store.holder import this_process; import json; print(json.dumps(this_process().about()))"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(dead)["machine"] == this_process().machine
    replace_text(bucket / "run" / "lock", dead)
    with lock_of(bucket, clock=(clock := Clock())):
        assert clock.now == 0


def test_a_sign_of_life_whose_answer_was_lost_is_still_ours(bucket: Path, proxy: Proxy) -> None:
    with lock_of(bucket) as lock:
        lost = iter(["lost"])
        proxy.fault = lambda method, path: next(lost, None) if method == "PUT" else None
        with pytest.raises(RunFailed, match="cannot be reached"):
            lock.beat()
        lock.check()
        lock.beat()
        replace_text(bucket / "run" / "x", "ours")


def test_a_bucket_that_cannot_be_written_is_told_before_anything(bucket: Path, proxy: Proxy) -> None:
    proxy.fault = lambda method, path: (403, "AccessDenied") if method == "PUT" else None
    with pytest.raises(UserError, match=r"RUN s3://.*/run/lock: the store refuses \(AccessDenied\); get the right"):
        run_lock(bucket / "run" / "lock").__enter__()
