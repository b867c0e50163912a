"""When checkpoints are written and which of them stay."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BestConfig:
    """``metric``: a number in a line of metrics.jsonl (``loss``, ``loss_by_task.ti2i``, ``validation_loss``), the lower
    the better. Every ``every`` steps its mean since the last look is compared with the best so far."""

    metric: str = "loss"
    every: int = 500

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"field 'every': must be at least 1, found {self.every}")
        if not self.metric:
            raise ValueError("field 'metric': the name of a metric is expected, found nothing")


@dataclass(frozen=True)
class CheckpointConfig:
    """A checkpoint every ``every`` steps and at the end; the newest ``keep`` stay, and the ``best`` one."""

    every: int = 500
    keep: int = 2
    best: BestConfig | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or self.keep < 1:
            raise ValueError(f"fields 'every', 'keep': must be at least 1, found {self.every}, {self.keep}")
