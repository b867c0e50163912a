"""A run within this process: no Ray, no guarded child, so that a whole run takes a second and may be ended anywhere.

What moves files is the real code; only who calls it differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from pipeline import cluster
from pipeline.sandbox import child, guard


def _flow(items: Sequence[Any], steps: Sequence[cluster.Step], config: object = None) -> Iterator[Any]:
    workers = [step.worker(*step.args) for step in steps]
    try:
        for item in items:
            for worker in workers:
                item = worker(item)
            yield item
    finally:
        for worker in workers:
            getattr(worker, "close", lambda: None)()


class _Child:
    job: Any = None

    def load(self, job: Any, memory_mb: int) -> None:
        self.job = job
        job.setup()

    def ask(self, group: list[Any], seconds: float) -> tuple[str, Any]:
        return child._answer(self.job, group)

    def kill(self) -> None:
        """Nothing to end."""


def work_inline(patch: pytest.MonkeyPatch, guarded: bool = False) -> None:
    """Let ``run_pipeline`` and its like work in this process; ``guarded``: but for what reads and looks at pictures."""
    patch.setattr(cluster, "connect", lambda config=None: None)
    patch.setattr(cluster, "flow", _flow)
    if not guarded:
        patch.setattr(guard, "_Child", _Child)
