"""A few fragments are worked on by threads of the command: the same results, and an end at once when one fails."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from configs import RunFailed, UserError
from pipeline import cluster
from pipeline.cluster import ClusterConfig, Step
from pipeline.sandbox.guard import Guard, GuardConfig
from tests.pipeline import commands


@dataclass(frozen=True)
class Work:
    name: str
    seen: tuple[str, ...] = ()


class Adds:
    """Notes who it is; closed workers are counted."""

    closed: list[str] = []  # noqa: RUF012

    def __init__(self, step: str) -> None:
        self.step = step

    def __call__(self, work: Work) -> Work:
        return Work(work.name, (*work.seen, f"{self.step}:{work.name}"))

    def close(self) -> None:
        self.closed.append(self.step)


def test_every_item_goes_through_all_steps_and_workers_are_closed() -> None:
    Adds.closed.clear()
    items = [Work(str(n)) for n in range(9)]
    steps = [Step(name, Adds, (name,)) for name in ("first", "second")]
    found = list(cluster.flow(items, steps, ClusterConfig(small=9, cpus=3)))
    assert sorted(work.name for work in found) == [str(n) for n in range(9)]
    assert all(work.seen == (f"first:{work.name}", f"second:{work.name}") for work in found)
    assert sorted(Adds.closed) == ["first"] * 3 + ["second"] * 3


class Counts:
    """How many of its kind work at the same time."""

    lock = threading.Lock()
    now = most = 0

    def __call__(self, work: Work) -> Work:
        with self.lock:
            Counts.now += 1
            Counts.most = max(Counts.most, Counts.now)
        time.sleep(0.05)
        with self.lock:
            Counts.now -= 1
        return work


@pytest.mark.parametrize(("workers", "most"), [(None, 4), (1, 1)])
def test_there_are_as_many_threads_as_cpus_or_as_the_step_allows(workers: int | None, most: int) -> None:
    Counts.most = 0
    list(
        cluster.flow(
            [Work(str(n)) for n in range(8)], [Step("x", Counts, workers=workers)], ClusterConfig(small=8, cpus=4)
        )
    )
    assert most == Counts.most


class SleepsInAChild:
    """One work fails, the others would look at a picture for an hour."""

    pids: list[int] = []  # noqa: RUF012

    def __init__(self) -> None:
        self._guard = Guard(_Sleep(), GuardConfig(seconds=3600))

    def __call__(self, work: Work) -> Work:
        if work.name == "bad":
            while not self.pids:
                time.sleep(0.01)
            raise UserError("this cannot be")
        list(self._guard.map([self]))
        raise AssertionError("not reached")

    def __reduce__(self) -> Any:
        """What the child is asked for: the pid of the one that asks for it is noted on the way."""
        assert self._guard._child
        self.pids.append(self._guard._child._process.pid)
        return (int, ())

    def close(self) -> None:
        self._guard.close()


class _Sleep:
    def setup(self) -> None:
        """Nothing to load."""

    def run(self, items: list[Any]) -> list[Any]:
        time.sleep(3600)
        return items


def test_what_one_raises_is_raised_and_ends_the_children_of_the_others() -> None:
    SleepsInAChild.pids.clear()
    steps = [Step("x", SleepsInAChild)]
    with pytest.raises(UserError, match="this cannot be"):
        list(cluster.flow([Work("good"), Work("bad")], steps, ClusterConfig(cpus=2)))
    (pid,) = SleepsInAChild.pids
    assert not psutil.pid_exists(pid)


class _Unable:
    def __init__(self) -> None:
        raise ModuleNotFoundError("No module named 'my_annotators'")


def test_a_worker_that_cannot_start_says_why() -> None:
    with pytest.raises(RunFailed, match=r"ocr: its worker cannot start: .*No module named 'my_annotators'"):
        list(cluster.flow([Work("photos-00000")], [Step("ocr", _Unable)], ClusterConfig()))


def test_a_small_rendering_does_not_load_ray(tmp_path: Path) -> None:
    code = "import sys; from synth.__main__ import main; main(sys.argv[1:]); assert 'ray' not in sys.modules"
    arguments = ["render", "configs/synth/glyphs.yaml", str(tmp_path / "out"), "--count", "4"]
    ended = subprocess.run([sys.executable, "-c", code, *arguments], text=True, capture_output=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert "starting Ray" not in ended.stdout
    assert len(commands.table(tmp_path / "out", "data")) == 4
