"""``configs/train/*.yaml``: what is trained, on what, how. Plain dataclasses, read by ``configs.load``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from trainer.data.config import LoadingConfig
from trainer.monitor.config import SamplesConfig
from trainer.optim.config import OptimizerConfig
from trainer.order.curriculum import Phase, check_phases
from trainer.tasks.config import ObjectiveConfig


@dataclass(frozen=True)
class CheckpointConfig:
    """A checkpoint every ``every`` steps and at the end; the newest ``keep`` stay."""

    every: int = 500
    keep: int = 2

    def __post_init__(self) -> None:
        if self.every < 1 or self.keep < 1:
            raise ValueError(f"fields 'every', 'keep': must be at least 1, found {self.every}, {self.keep}")


@dataclass(frozen=True)
class FitConfig:
    """``model``: a config under configs/model (fresh weights from ``seed``) or a diffusers folder to go on from.

    ``max_micro_batch_tokens``: text and image tokens of a micro-batch; null takes a global batch at once.
    ``precision``: of the forward pass; weights, loss and optimizer are fp32 whatever stands here.
    """

    renamed: ClassVar[dict[str, str]] = {"micro_tokens": "max_micro_batch_tokens"}

    model: str
    phases: tuple[Phase, ...]
    seed: int = 0
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    loading: LoadingConfig = field(default_factory=LoadingConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    samples: SamplesConfig | None = None
    max_micro_batch_tokens: int | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        check_phases(self.phases)
        if self.max_micro_batch_tokens is not None and self.max_micro_batch_tokens < 1:
            raise ValueError(f"field 'max_micro_batch_tokens': must be at least 1, found {self.max_micro_batch_tokens}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"field 'threads': must be at least 1, found {self.threads}")
