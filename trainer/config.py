"""``configs/train/*.yaml``: what is trained, on what, how. Plain dataclasses, read by ``configs.load``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from configs.storage import StorageConfig
from trainer.data.config import LoadingConfig
from trainer.data.producers.config import ProducersConfig
from trainer.lora.config import LoraConfig
from trainer.monitor.config import MonitorConfig, SamplesConfig, ValidationConfig
from trainer.optim.config import OptimizerConfig
from trainer.order.curriculum import Phase, check_phases
from trainer.parallel.config import ParallelConfig
from trainer.state.config import CheckpointConfig
from trainer.tasks.config import ObjectiveConfig

_TEXT_LIMIT = 1024
"""Hidden states of a condition that diffusers' pipelines take (``max_sequence_length``)."""


@dataclass(frozen=True)
class NonFiniteConfig:
    """What is done about a loss or a gradient that is not finite, before it reaches a weight: ``stop`` the training,
    or ``skip`` the step's update, at most ``limit`` times in a row."""

    policy: Literal["stop", "skip"] = "stop"
    limit: int = 3

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"field 'limit': must be at least 1, found {self.limit}")


@dataclass(frozen=True)
class FitConfig:
    """``model``: a config under configs/model (fresh weights from ``seed``) or a diffusers folder to go on from; null
    where the command line names the weights.

    ``weights``: one file that stands in for the folder's transformer. ``lora``: train adapters on frozen weights.
    ``max_micro_batch_tokens``: text and image tokens of a micro-batch; null takes a rank's whole part at once.
    ``max_text_tokens``: hidden states of a condition that are kept, vision tokens not counted; longer ones are cut, as
    the released pipelines do at 512 or 1,024. ``precision``: of the forward pass; weights, loss and optimizer are fp32
    (with ``fp64``, which is for checks, all of it). ``launch``, ``num_workers``: who starts the processes; ``torchrun``
    does so by itself, ``ray`` starts as many as the cluster has room for within [least, most].

    ``encode``: pictures and texts in each rank's own process, or ``live`` by Ray actors (``producers``) ahead of it.
    ``encoded``: a folder of ``python -m trainer encode``; what it lacks is encoded as ``encode`` says. ``encoders``: whether
    they ``share`` the network's device, or ``leave`` it for the host while it trains. ``grow``: a phase takes what the
    dataset holds when the phase begins; else all phases take what it held at the first step.
    """

    renamed: ClassVar[dict[str, str]] = {"micro_tokens": "max_micro_batch_tokens"}

    phases: tuple[Phase, ...]
    model: str | None = None
    seed: int = 0
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    on_nonfinite: NonFiniteConfig = field(default_factory=NonFiniteConfig)
    loading: LoadingConfig = field(default_factory=LoadingConfig)
    encode: Literal["in_process", "live"] = "in_process"
    encoded: str | None = None
    encoders: Literal["share", "leave"] = "share"
    producers: ProducersConfig = field(default_factory=ProducersConfig)
    grow: bool = True
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    samples: SamplesConfig | None = None
    validation: ValidationConfig | None = None
    monitor: MonitorConfig = field(default_factory=MonitorConfig)
    lora: LoraConfig | None = None
    weights: str | None = None
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    launch: Literal["torchrun", "ray"] = "torchrun"
    num_workers: tuple[int, int] = (1, 1)
    max_micro_batch_tokens: int | None = None
    max_text_tokens: int = 512
    precision: Literal["fp32", "bf16", "fp64"] = "fp32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    storage: StorageConfig = field(default_factory=StorageConfig)

    def __post_init__(self) -> None:
        check_phases(self.phases)
        if self.seed < 0:
            raise ValueError(f"field 'seed': must be at least 0, found {self.seed}")
        if self.max_text_tokens > _TEXT_LIMIT:
            raise ValueError(
                f"field 'max_text_tokens': the released pipelines take at most {_TEXT_LIMIT:,}, found {self.max_text_tokens:,}"
            )
        for name in ("max_micro_batch_tokens", "threads", "max_text_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"field '{name}': must be at least 1, found {value}")
        if self.optimizer.in_backward and self.on_nonfinite.policy == "skip":
            raise ValueError(
                "field 'on_nonfinite.policy': with optimizer.in_backward blocks have moved before a step is known to be "
                "finite, so it cannot be skipped; take stop"
            )
        if self.optimizer.in_backward and self.max_micro_batch_tokens is not None:
            raise ValueError(
                "field 'max_micro_batch_tokens': optimizer.in_backward moves weights in the first backward pass of a step, "
                "so there can be no second one; leave it null, and cut the batch by phases.N.tokens"
            )
        if not 1 <= self.num_workers[0] <= self.num_workers[1]:
            raise ValueError(f"field 'num_workers': [least, most] of at least 1, found {list(self.num_workers)}")
