"""``configs/train/*.yaml``: what is trained, on what, how. Plain dataclasses, read by ``configs.load``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from trainer.order.curriculum import Phase, check_phases


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW. Defaults follow the successor's report (FACTS 3) where it speaks: weight decay 0.001, clip 1, rate 1e-4.

    ``kind``: ``muon`` gives the matrices of the blocks to Muon (``muon.py``) and leaves the rest to AdamW.
    ``warmup`` in steps; then a ``cosine`` to ``final`` times the rate at the last step, or ``constant``.
    ``ema``: decay of the averaged weights, warmed up; the averaged ones are exported.
    """

    kind: Literal["adamw", "muon"] = "adamw"
    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-15
    weight_decay: float = 0.001
    warmup: int = 100
    schedule: Literal["cosine", "constant"] = "cosine"
    final: float = 0.0
    clip: float = 1.0
    ema: float = 0.999

    def __post_init__(self) -> None:
        for name in ("lr", "eps", "clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"field '{name}': must be above 0, found {getattr(self, name)}")
        for name in ("weight_decay", "warmup", "final"):
            if getattr(self, name) < 0:
                raise ValueError(f"field '{name}': must be at least 0, found {getattr(self, name)}")
        if not all(0 <= b < 1 for b in (*self.betas, self.ema)):
            raise ValueError(f"fields 'betas', 'ema': must be within 0..1, found {self.betas}, {self.ema}")


@dataclass(frozen=True)
class ObjectiveConfig:
    """Rectified flow. ``sigma_mean``, ``sigma_std``: of the logit-normal (chosen). ``dropout``: of the caption, per
    sample (rate from the successor's report), replaced by the encoded ``empty`` prompt."""

    sigma_mean: float = 0.0
    sigma_std: float = 1.0
    dropout: float = 0.1
    empty: str = ""

    def __post_init__(self) -> None:
        if self.sigma_std <= 0:
            raise ValueError(f"field 'sigma_std': must be above 0, found {self.sigma_std}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"field 'dropout': must be within 0..1, found {self.dropout}")


@dataclass(frozen=True)
class LoadingConfig:
    """``cache_megabytes``: latents and conditions kept in memory. ``ahead``: batches prepared beforehand."""

    cache_megabytes: int = 1024
    ahead: int = 2

    def __post_init__(self) -> None:
        if self.cache_megabytes < 0 or self.ahead < 1:
            raise ValueError(
                f"fields 'cache_megabytes', 'ahead': at least 0 and 1, found {self.cache_megabytes}, {self.ahead}"
            )


@dataclass(frozen=True)
class CheckpointConfig:
    """A checkpoint every ``every`` steps and at the end; the newest ``keep`` stay."""

    every: int = 500
    keep: int = 2

    def __post_init__(self) -> None:
        if self.every < 1 or self.keep < 1:
            raise ValueError(f"fields 'every', 'keep': must be at least 1, found {self.every}, {self.keep}")


@dataclass(frozen=True)
class SamplesConfig:
    """Fixed prompts sampled at fixed seeds every ``every`` steps and at the end. ``size``: width, height in px."""

    prompts: tuple[str, ...]
    every: int = 500
    size: tuple[int, int] = (256, 256)
    steps: int = 20
    cfg: float = 4.0

    def __post_init__(self) -> None:
        if not self.prompts or self.every < 1 or self.steps < 1:
            raise ValueError("samples: wants prompts, and 'every' and 'steps' of at least 1")
        if self.cfg < 0:
            raise ValueError(f"field 'cfg': must be at least 0, found {self.cfg}")
        if any(side < 16 or side % 16 for side in self.size):
            raise ValueError(f"field 'size': width and height must be multiples of 16, found {self.size}")


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
