"""What DPO and GRPO have in common: ``configs/train/{dpo,grpo}.yaml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trainer.lora.config import LoraConfig
from trainer.monitor.config import MonitorConfig, SamplesConfig
from trainer.optim.config import OptimizerConfig
from trainer.state.config import CheckpointConfig

FREE = frozenset({"checkpoint", "monitor", "samples", "device", "threads", "micro_batch", "workers"})
"""Fields that a resumed training may change."""


@dataclass(frozen=True, kw_only=True)
class PostConfig:
    """``steps`` of the optimizer, each on ``batch`` pairs or pictures, ``micro_batch`` of them at a time (null: all).
    ``lora``: train adapters, and the reference is the model without them; null: all weights, and the reference is a
    second copy. ``samples``: prompts that are drawn into samples.png while training goes on. ``precision``: of the
    forward passes."""

    steps: int
    batch: int
    micro_batch: int | None = None
    lora: LoraConfig | None = None
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    samples: SamplesConfig | None = None
    monitor: MonitorConfig = field(default_factory=MonitorConfig)
    max_text_tokens: int = 512
    precision: Literal["fp32", "bf16"] = "bf16"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0  # of torch; 0 leaves it
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "micro_batch", "max_text_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: at least 1, found {value}")
        for name, allowed in {"weights": "fp32", "in_backward": False, "offload_blocks": 0}.items():
            if getattr(self.optimizer, name) != allowed:
                raise ValueError(f"optimizer.{name}: {allowed!r} here, for the policy is compared with a reference")
        if self.lora and self.lora.dropout:
            raise ValueError("lora.dropout: 0 here, for the policy is compared with a reference that has none")
        if self.samples and (self.samples.rows or self.samples.references):
            raise ValueError("samples: prompts alone here; there is no dataset whose rows could be drawn")
