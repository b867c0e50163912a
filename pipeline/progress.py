"""How far the work is: a bar with rate and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

EVERY = 15.0
"""Seconds between two plain lines (ours)."""


class Counter(Protocol):
    """Counts finished inputs."""

    def add(self, inputs: int) -> None: ...


@contextmanager
def progress(what: str, total: int, unit: str = "inputs") -> Iterator[Counter]:
    """Show the way of ``total`` inputs through the step ``what``, and how long it took when it ends well."""
    start = time.monotonic()
    if sys.stderr.isatty():
        with _bar(what, total, unit) as counter:
            yield counter
    else:
        yield _Lines(what, total, unit, start)
    seconds = time.monotonic() - start
    print(f"{what}: {total:,} {unit} in {_duration(seconds)} ({total / max(seconds, 1e-9):.1f}/s)", flush=True)


@dataclass
class _Lines:
    what: str
    total: int
    unit: str
    start: float
    done: int = 0
    last: float = field(default_factory=time.monotonic)

    def add(self, inputs: int) -> None:
        self.done += inputs
        now = time.monotonic()
        if now - self.last < EVERY or self.done >= self.total:
            return
        self.last = now
        rate = self.done / (now - self.start)
        left = _duration((self.total - self.done) / rate) if rate else "?"
        print(f"{self.what}: {self.done:,}/{self.total:,} {self.unit}, {rate:.1f}/s, {left} left", flush=True)


@contextmanager
def _bar(what: str, total: int, unit: str) -> Iterator[Counter]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="starting")

        class Bar:
            def add(self, inputs: int) -> None:
                bar.advance(task, inputs)
                speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
                bar.update(task, rate=f"{speed:.1f}/s" if speed else "")

        yield Bar()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
