"""Estimates of the time left, by a clock of our own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.progress import EVERY, FEW, Overall, Recent, progress


def clock_of(times: list[float]) -> Callable[[], float]:
    given = iter(times)
    return lambda: next(given)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_trainings_first_estimate_comes_after_a_few_steps_and_not_by_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ends = [0.0, 9.0] + [9.0 + 0.5 * i for i in range(1, FEW + 1)]  # the first step takes nine seconds
    with progress("train", 1000, "steps", even=True, clock=clock_of([*ends, 99.0])) as counter:
        for _ in range(FEW):
            counter.add(1)
            assert counter.left() is None
        assert lines(capsys) == []
        counter.add(1)
        assert counter.left() == 0.5 * (999 - FEW)
        assert lines(capsys) == [f"train: {FEW + 1}/1,000 steps, 2.0/s, 8 min 18 s left"]


def test_later_estimates_come_now_and_then_and_forget_a_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    took = [2.0] * 5 + [2.0] * 6 + [60.0] + [2.0] * 9  # a checkpoint after the eleventh step
    ends = [sum(took[:i]) for i in range(len(took) + 1)]
    with progress("train", 100, "steps", even=True, clock=clock_of([*ends, ends[-1]])) as counter:
        for _ in took:
            counter.add(1)
    told = lines(capsys)
    assert [line.split(",")[0] for line in told[:-1]] == [f"train: {n}/100 steps" for n in (5, 12, 20)]
    assert all("2.0 s each" in line for line in told[:-1])
    assert told[1].endswith("2 min 56 s left")


def test_bursts_of_inputs_are_judged_by_all_since_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("pack", 100, clock=clock_of([0.0, 10.0, 10.0, EVERY + 1, 40.0])) as counter:
        counter.add(10)
        counter.add(10)
        assert lines(capsys) == []
        counter.add(12)
        assert lines(capsys) == ["pack: 32/100 inputs, 2.0/s, 34.0 s left"]
    assert lines(capsys) == ["pack: 100 inputs in 40.0 s (2.5/s)"]


def test_nothing_done_has_no_estimate() -> None:
    assert Overall(10, 0.0).left() is None
    assert Recent(10, 0.0).left() is None
