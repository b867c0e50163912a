"""``configs/train/grpo.yaml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from configs.kinds import OpenKind
from pipeline.cluster import ClusterConfig
from trainer.post.config import PostConfig
from trainer.post.prompts import PromptsConfig
from trainer.post.reward_models import HttpReward, Reward, TextReward
from trainer.post.rollout import SamplerConfig

AnyReward = Annotated[TextReward | HttpReward, OpenKind(Reward)]


@dataclass(frozen=True)
class WorkersConfig:
    """``count`` Ray actors draw and reward beside the learner, each with ``cpus`` and ``gpus`` of ``cluster``; 0: the
    learner does it itself. ``restarts``: how often one that died is started again."""

    count: int = 0
    cpus: float = 1.0
    gpus: float = 0.0
    restarts: int = 16  # chosen, as in ``cluster``
    cluster: ClusterConfig = field(default_factory=ClusterConfig)

    def __post_init__(self) -> None:
        if self.count < 0 or self.restarts < 0 or self.cpus <= 0 or self.gpus < 0:
            raise ValueError("workers: count, restarts and gpus at least 0, cpus above 0")


@dataclass(frozen=True, kw_only=True)
class GrpoConfig(PostConfig):
    """A step draws ``batch`` pictures, ``group`` of each prompt, ``micro_batch`` of them at a time, and learns from each of
    their stochastic steps ``passes`` times. ``clip``: of the ratio of probabilities; ``kl``: coefficient of the divergence
    from the reference. ``workers``: who draws."""

    rewards: tuple[AnyReward, ...]
    prompts: PromptsConfig = field(default_factory=PromptsConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    workers: WorkersConfig = field(default_factory=WorkersConfig)
    group: int = 8
    passes: int = 1
    clip: float = 1e-3
    kl: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.group < 2 or self.batch % self.group:
            raise ValueError(f"group: at least 2 and a divisor of batch = {self.batch}, found {self.group}")
        if not self.rewards or self.passes < 1 or self.clip <= 0 or self.kl < 0:
            raise ValueError("rewards: at least one; passes at least 1, clip above 0, kl at least 0")

    def parts(self) -> list[range]:
        """Places in the batch that are drawn together: ``micro_batch`` of them, or as many for each worker."""
        width = self.micro_batch or -(-self.batch // max(1, self.workers.count))
        return [range(i, min(i + width, self.batch)) for i in range(0, self.batch, width)]
