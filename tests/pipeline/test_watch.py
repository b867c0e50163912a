"""The table of who works on what, and what the command says about it; no Ray."""

from __future__ import annotations

import pytest

from configs import RunFailed
from pipeline.watch import Report, State, Table, Watch, WatchConfig, beat

KEY = ("ocr", "photos-00003")
LIMITS = WatchConfig(stall_s=300, stall_stop_s=3600, max_retries=2)


def watched(*reports: Report) -> tuple[Watch, list[str]]:
    """A watch that gets ``reports`` one after the other, and the lines that it says."""
    said: list[str] = []
    left = list(reports)
    return Watch(LIMITS, "annotate", lambda: left.pop(0), said.append), said


def held(seconds: float, worker: str = "process 7 on there", **more: int) -> Report:
    return Report(0.0, {KEY: State(worker, "actor", seconds, **more)})


def test_an_attempt_that_never_ended_is_a_death() -> None:
    table = Table()
    assert table.begin(KEY, "process 1 on here", "a") == (0, "")
    assert table.begin(KEY, "process 2 on here", "a") == (1, "process 1 on here")
    assert table.begin(KEY, "process 3 on here", "b") == (2, "process 2 on here")
    assert table.report().deaths == {KEY: 2}
    table.end(KEY)
    assert table.report().held == {}
    assert table.begin(KEY, "process 4 on here", "b") == (0, "process 3 on here")  # asked for again, after all


def test_progress_is_kept_with_the_work() -> None:
    table = Table()
    table.beat(KEY, 1, 16)  # late, of work that nobody began
    assert table.report().held == {}
    table.begin(KEY, "process 1 on here", "a")
    table.beat(KEY, 8, 16)
    state = table.report().held[KEY]
    assert (state.done, state.total, state.worker) == (8, 16, "process 1 on here")
    assert 0 <= state.last < 60
    beat(1, 2)  # in a process that nobody watches


def test_work_that_stands_still_is_named_once_for_each_worker() -> None:
    later = held(299), held(301, done=8, total=16), held(400, done=8, total=16), held(500, "process 9 on there")
    watch, said = watched(*later)
    for _ in later:
        watch.check()
    assert said == [
        "ocr: photos-00003 has made no progress for 301 s; process 7 on there holds it, 8 of 16 rows done; the run "
        "stops after 3600 s of it",
        "ocr: photos-00003 has made no progress for 500 s; process 9 on there holds it, before its first row; the run "
        "stops after 3600 s of it",
    ]


def test_work_that_stands_still_too_long_stops_the_run() -> None:
    watch, _ = watched(held(3600))
    with pytest.raises(
        RunFailed, match=r"photos-00003 has made no progress for 3600 s; process 7 .* fragments are safe"
    ):
        watch.check()


def test_a_cluster_without_room_for_a_worker_is_named_and_stopped() -> None:
    watch, said = watched(Report(10.0), Report(300.0), Report(310.0), Report(3600.0))
    for _ in range(3):
        watch.check()
    assert [line.split(";")[0] for line in said] == ["annotate: no worker has begun anything for 300 s"]
    with pytest.raises(RunFailed, match="no worker has begun anything for 3600 s; has the cluster room for one"):
        watch.check()


def test_each_death_is_said_once_and_the_last_is_left_to_the_error() -> None:
    watch, said = watched(*(Report(0.0, {}, {KEY: deaths}) for deaths in (1, 1, 2, 3)))
    for _ in range(4):
        watch.check()
    assert said == [
        "ocr: a worker died while it held photos-00003; tried again, 1 more times at most",
        "ocr: a worker died while it held photos-00003; tried again, 0 more times at most",
    ]
