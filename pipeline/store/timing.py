"""RUN/timing.jsonl: how long each step took, a line for each call that had something to do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from configs.files import append_line
from pipeline.store.run_folder import RunFolder


@contextmanager
def timed(run: RunFolder, step: str) -> Iterator[None]:
    """Note the wall-clock seconds of the block when it ends well."""
    start = time.monotonic()
    yield
    line = {"step": step, "seconds": round(time.monotonic() - start, 2)}
    append_line(run.timing, json.dumps(line))


def seconds_of(run: RunFolder) -> dict[str, float]:
    """Seconds of each step over all calls, in the order of their first line."""
    seconds: dict[str, float] = {}
    if run.timing.exists():
        for line in run.timing.read_text(encoding="utf-8").splitlines():
            noted = json.loads(line)
            seconds[noted["step"]] = round(seconds.get(noted["step"], 0.0) + noted["seconds"], 2)
    return seconds
