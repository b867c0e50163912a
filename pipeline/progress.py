"""How far the work is: a bar with rate and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from configs.numbers import duration

EVERY = 15.0
"""Seconds between two plain lines; chosen."""
FEW, RECENT = 4, 50
"""Even steps that an estimate needs at least, and looks back on at most; chosen."""
Clock = Callable[[], float]


class Counter(Protocol):
    """Counts finished inputs."""

    def add(self, inputs: int) -> None: ...

    def left(self) -> float | None:
        """Seconds to the end, None while too little is known."""


@contextmanager
def progress(
    what: str, total: int, unit: str = "inputs", even: bool = False, clock: Clock = time.monotonic
) -> Iterator[Counter]:
    """Show the way of ``total`` inputs through the step ``what``, and how long it took when it ends well.

    ``even``: one after the other and of about the same work, as the steps of a training. The time left follows from
    the median of the recent ones then, without the first, in which kernels are chosen and memories filled; else from
    all that was done since the start.
    """
    start = clock()
    estimate: Estimate = Recent(total, start) if even else Overall(total, start)
    if sys.stderr.isatty():
        with _bar(what, total, unit, estimate, clock) as counter:
            yield counter
    else:
        yield _Lines(what, unit, estimate, clock, start)
    seconds = clock() - start
    print(f"{what}: {total:,} {unit} in {duration(seconds)} ({total / max(seconds, 1e-9):.1f}/s)", flush=True)


@dataclass
class Estimate:
    """Of the seconds a unit takes. ``start``: the clock's reading when the work began."""

    total: int
    start: float
    done: int = 0

    def add(self, inputs: int, now: float) -> None:
        self.done += inputs

    def pace(self) -> float | None:
        """Seconds a unit takes, None while too little is known."""
        raise NotImplementedError

    def left(self) -> float | None:
        pace = self.pace()
        return None if pace is None else pace * (self.total - self.done)


@dataclass
class Overall(Estimate):
    """By the mean since the start: inputs that end in bursts, several workers at a time."""

    now: float = 0.0

    def add(self, inputs: int, now: float) -> None:
        super().add(inputs, now)
        self.now = now

    def pace(self) -> float | None:
        return (self.now - self.start) / self.done if self.done else None


@dataclass
class Recent(Estimate):
    """By the median of the last ones: a checkpoint among them, or a first step ten times as long, changes nothing."""

    before: float | None = None
    took: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def add(self, inputs: int, now: float) -> None:
        super().add(inputs, now)
        if self.before is not None:
            self.took.append((now - self.before) / inputs)
        self.before = now

    def pace(self) -> float | None:
        return statistics.median(self.took) if len(self.took) >= FEW else None


@dataclass
class _Lines:
    what: str
    unit: str
    estimate: Estimate
    clock: Clock
    last: float
    told: bool = False

    def add(self, inputs: int) -> None:
        now = self.clock()
        self.estimate.add(inputs, now)
        first = isinstance(self.estimate, Recent) and not self.told and self.left() is not None
        if (now - self.last < EVERY and not first) or self.estimate.done >= self.estimate.total:
            return
        self.last, self.told = now, self.left() is not None
        print(
            f"{self.what}: {self.estimate.done:,}/{self.estimate.total:,} {self.unit}{_told(self.estimate)}", flush=True
        )

    def left(self) -> float | None:
        return self.estimate.left()


@contextmanager
def _bar(what: str, total: int, unit: str, estimate: Estimate, clock: Clock) -> Iterator[Counter]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit + "{task.fields[told]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, told=", starting")

        class Bar:
            def add(self, inputs: int) -> None:
                estimate.add(inputs, clock())
                bar.update(task, advance=inputs, told=_told(estimate))

            def left(self) -> float | None:
                return estimate.left()

        yield Bar()


def _told(estimate: Estimate) -> str:
    pace, left = estimate.pace(), estimate.left()
    if pace is None or left is None:
        return ""
    rate = f"{1 / max(pace, 1e-9):.1f}/s" if pace <= 1 else f"{pace:.1f} s each"
    return f", {rate}, {duration(left)} left"
