"""The loop of a training by one process: steps, metrics, checkpoints, and an end that loses nothing when asked to end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pipeline.progress import progress
from trainer.monitor.config import MonitorConfig
from trainer.monitor.metrics import Line, Metrics
from trainer.parallel.world import World
from trainer.state.checkpoint import Checkpoints
from trainer.state.config import CheckpointConfig
from trainer.state.signals import StopRequest


def run_steps(
    take: Callable[[int], Line],
    done: int,
    steps: int,
    out: Path,
    checkpoints: Checkpoints,
    keep: CheckpointConfig,
    monitor: MonitorConfig,
    world: World,
    stop: StopRequest,
    after: Callable[[int], Line] = lambda done: {},
) -> None:
    """Take the steps from ``done`` to ``steps``. ``take``: one step by its number, its line of metrics; ``after``: what
    there is to do and to tell once so many are done. Raises RunFailed where a signal ends it, all steps saved."""
    if done >= steps:
        return
    metrics = Metrics(out, done, monitor)
    try:
        with progress("train", steps - done, "steps", even=True) as counter:
            for step in range(done, steps):
                stop.hold()
                begun = time.perf_counter()
                line = take(step)
                line |= {"seconds": round(time.perf_counter() - begun, 4)}
                metrics.write({**line, **after(step + 1)})
                counter.add(1)
                _save(step + 1, steps, checkpoints, keep, world, stop)
    finally:
        metrics.close()
        checkpoints.finish()


def _save(
    done: int, steps: int, checkpoints: Checkpoints, keep: CheckpointConfig, world: World, stop: StopRequest
) -> None:
    checkpoints.poll()
    if done == steps or done % keep.every == 0:
        checkpoints.save(done)
    elif stop.received:
        checkpoints.save(done)
        world.stop(
            f"asked to end ({stop.name}) after {done:,} of {steps:,} steps; all of it is saved: the same command goes on "
            "from there"
        )
