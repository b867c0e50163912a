"""The config of the training of the VAE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Shape:
    """The sizes of the network; the rest is as released."""

    base_dim: int
    dim_mult: tuple[int, int, int, int]
    num_res_blocks: int


@dataclass(frozen=True)
class PoolConfig:
    """The pictures: ``glyphs`` renderings of a recipe, ``photographs`` crops; ``size`` px square."""

    recipe: str
    glyphs: int
    photographs: int
    size: int = 64

    def __post_init__(self) -> None:
        if self.glyphs < 0 or self.photographs < 0 or self.glyphs + self.photographs < 20:
            raise ValueError(
                f"glyphs and photographs must be at least 0, together at least 20, found {self.glyphs}, {self.photographs}"
            )
        if self.size < 8 or self.size % 8:
            raise ValueError(f"size must be a multiple of 8, found {self.size}")


@dataclass(frozen=True)
class Stage:
    """``steps`` of ``batch`` pictures of ``size`` px; above the pool's size they are tiled from several."""

    steps: int
    size: int
    batch: int

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.size < 8 or self.size % 8:
            found = f"{self.steps}, {self.batch}, {self.size}"
            raise ValueError(f"steps and batch must be positive and size a multiple of 8, found {found}")


@dataclass(frozen=True)
class Rates:
    """``peak`` learning rate; linear warm-up over ``warm_up`` steps, linear descent over the last ``decay`` of all."""

    peak: float
    warm_up: int
    decay: float

    def __post_init__(self) -> None:
        if self.peak <= 0 or self.warm_up < 0 or not 0 <= self.decay <= 1:
            found = f"{self.peak}, {self.warm_up}, {self.decay}"
            raise ValueError(f"peak must be above 0, warm_up at least 0, decay within 0..1, found {found}")


@dataclass(frozen=True)
class VAETrainConfig:
    """``configs/train/vae.yaml``."""

    shape: Shape
    pool: PoolConfig
    stages: tuple[Stage, ...]
    lr: Rates
    seed: int = 0
    kl: float = 5e-4  # on the mean over latent numbers, beside means over pixels
    ema: float = 0.998
    precision: Literal["fp32", "bf16"] = "bf16"
    threads: int = 1  # of torch; part of what makes the result the same bytes
    photographs: tuple[tuple[str, str], ...] = field(default=(("skimage", "data"), ("sklearn", "datasets/images")))

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError("stages must hold at least one entry")
        if self.kl < 0 or not 0 <= self.ema < 1 or self.threads < 1:
            found = f"{self.kl}, {self.ema}, {self.threads}"
            raise ValueError(f"kl must be at least 0, ema within 0..1, threads at least 1, found {found}")
