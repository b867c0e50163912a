"""Who works on what: workers report, and the command names the work that stands still or keeps killing its workers.

    worker ──begin, beat, end──> Table (an actor of its own) ──states──> Watch in the command
                                                                          ├ silent for stall_s: named, once
                                                                          └ silent for stall_stop_s: RunFailed

A worker that is killed cannot report: the next attempt at the same work finds it begun and not ended.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from configs import RunFailed

_BEAT = 1.0
"""Seconds between two reports of one worker (chosen)."""

Key = tuple[str, str]
"""Step and name of the work: ``ocr``, ``photos-00003``."""

HOW_TO_GO_ON = "committed fragments are safe and the same command goes on from them"


@dataclass(frozen=True)
class WatchConfig:
    """Limits in seconds, see ``ClusterConfig``; ``max_retries``: further attempts after a worker died."""

    stall_s: float
    stall_stop_s: float
    max_retries: int


@dataclass
class State:
    """What is known about one piece of work. ``worker``: the process that holds it, for people; ``actor``: its id for
    Ray. ``last``: when it last made progress, s on the table's clock. ``deaths``: attempts that never ended."""

    worker: str
    actor: str
    last: float
    done: int = 0
    total: int = 0
    deaths: int = 0
    ended: bool = False


@dataclass(frozen=True)
class Report:
    """What the table knows. ``quiet``: seconds since anything happened at all. ``held``: work that has begun and not
    ended; ``last`` is how many seconds ago it made progress. ``deaths``: of workers, for work that had any."""

    quiet: float = 0.0
    held: Mapping[Key, State] = field(default_factory=dict)
    deaths: Mapping[Key, int] = field(default_factory=dict)


class Table:
    """The reports of all workers. Runs as a Ray actor; its methods do not wait for anything."""

    def __init__(self) -> None:
        self._states: dict[Key, State] = {}
        self._started = time.monotonic()

    def begin(self, key: Key, worker: str, actor: str) -> tuple[int, str]:
        """Note that ``worker`` begins; returns how many attempts before it died, and the worker of the last one."""
        before = self._states.get(key)
        deaths = before.deaths + 1 if before and not before.ended else 0
        self._states[key] = State(worker, actor, time.monotonic(), deaths=deaths)
        return deaths, before.worker if before else ""

    def beat(self, key: Key, done: int, total: int) -> None:
        """Note that the work makes progress: ``done`` of ``total`` rows."""
        if state := self._states.get(key):
            state.last, state.done, state.total = time.monotonic(), done, total

    def end(self, key: Key) -> None:
        """Note that the work came to an end, good or bad."""
        if state := self._states.get(key):
            state.ended, state.last = True, time.monotonic()

    def report(self) -> Report:
        now = time.monotonic()
        quiet = now - max([self._started, *(s.last for s in self._states.values())])
        held = {k: replace(s, last=now - s.last) for k, s in self._states.items() if not s.ended}
        return Report(quiet, held, {k: s.deaths for k, s in self._states.items() if s.deaths})


@dataclass
class Reporter:
    """What one worker holds, as it reports to the table. ``table``: handle of the actor."""

    table: Any
    max_retries: int
    _key: Key | None = None
    _last: float = 0.0

    @contextmanager
    def working(self, key: Key) -> Iterator[None]:
        """Report ``key`` as begun and ended. Raises RunFailed when too many workers died of it."""
        import ray

        global _current
        try:
            actor = ray.get_runtime_context().get_actor_id() or ""
            deaths, worker = ray.get(self.table.begin.remote(key, _this_worker(), actor), timeout=60)
        except ray.exceptions.RayError:  # the table is gone: Ray's own limits still end what cannot be done
            deaths, worker = 0, ""
        try:
            if deaths > self.max_retries:
                raise RunFailed(died(key, deaths, worker))
            self._key, _current = key, self
            yield
        finally:
            self._key, _current = None, None
            self.table.end.remote(key)

    def beat(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._key and (now - self._last >= _BEAT or done == total):
            self._last = now
            self.table.beat.remote(self._key, done, total)


_current: Reporter | None = None
"""The reporter of this process while it works: a worker does one thing at a time."""


def beat(done: int, total: int) -> None:
    """Report that ``done`` of ``total`` rows of the present work are through; silent where nobody watches."""
    if _current:
        _current.beat(done, total)


def _this_worker() -> str:
    """Process and machine, as a person would look for them."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def died(key: Key, deaths: int, worker: str) -> str:
    """The message for work that keeps killing its workers."""
    step, name = key
    times = "once" if deaths == 1 else f"{deaths} times"
    return (
        f"{step}: the worker died {times} while it held {name}, the last one was {worker}; most often the kernel ends "
        f"it for memory (dmesg shows): fewer workers (cluster.cpus) leave each one more; {HOW_TO_GO_ON}"
    )


@dataclass
class Watch:
    """The command's side: call ``check`` now and then. ``ask``: gets the table's report; ``say``: prints a line."""

    config: WatchConfig
    what: str
    ask: Callable[[], Report]
    say: Callable[[str], None] = field(default=lambda line: print(line, flush=True))
    _named: set[tuple[Key, str]] = field(default_factory=set)
    _deaths: dict[Key, int] = field(default_factory=dict)

    def check(self) -> None:
        """Name what stands still and what lost its worker. Raises RunFailed for what stood still too long."""
        report = self.ask()
        self.name_deaths(report)
        for key, state in sorted(report.held.items()):
            if state.last >= self.config.stall_stop_s:
                raise RunFailed(f"{_stalled(key, state)}; stopped after cluster.stall_stop_s; {HOW_TO_GO_ON}")
            if state.last >= self.config.stall_s and (key, state.worker) not in self._named:
                self._named.add((key, state.worker))
                self.say(f"{_stalled(key, state)}; the run stops after {self.config.stall_stop_s:g} s of it")
        if not report.held:
            self._check_idle(report.quiet)

    def name_deaths(self, report: Report) -> None:
        """Say which work lost its worker since the last time."""
        for key, deaths in sorted(report.deaths.items()):
            if self._deaths.get(key, 0) < deaths <= self.config.max_retries:
                self._deaths[key] = deaths
                left = self.config.max_retries - deaths
                self.say(f"{key[0]}: a worker died while it held {key[1]}; tried again, {left} more times at most")

    def _check_idle(self, quiet: float) -> None:
        """Nothing is held by anybody: no worker could start, or those there were are gone."""
        idle = f"{self.what}: no worker has begun anything for {quiet:.0f} s; has the cluster room for one?"
        if quiet >= self.config.stall_stop_s:
            raise RunFailed(f"{idle} Stopped after cluster.stall_stop_s; {HOW_TO_GO_ON}")
        if quiet >= self.config.stall_s and (("", ""), "") not in self._named:
            self._named.add((("", ""), ""))
            self.say(f"{idle} The run stops after {self.config.stall_stop_s:g} s of it")


def _stalled(key: Key, state: State) -> str:
    rows = f", {state.done:,} of {state.total:,} rows done" if state.total else ", before its first row"
    return f"{key[0]}: {key[1]} has made no progress for {state.last:.0f} s; {state.worker} holds it{rows}"
