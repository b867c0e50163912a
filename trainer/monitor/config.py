"""What is shown while training goes on."""

from __future__ import annotations

from dataclasses import dataclass


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
