"""What is shown while training goes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplesConfig:
    """Fixed prompts sampled at fixed seeds every ``every`` steps and at the end. ``size``: width, height in px.

    ``references``: for each prompt the pictures that it edits, files; ``reference_area``: px at which the VAE sees them.
    """

    prompts: tuple[str, ...]
    every: int = 500
    size: tuple[int, int] = (256, 256)
    steps: int = 20
    cfg: float = 4.0
    references: tuple[tuple[str, ...], ...] = ()
    reference_area: int = 1024 * 1024

    def __post_init__(self) -> None:
        if not self.prompts or self.every < 1 or self.steps < 1:
            raise ValueError("samples: wants prompts, and 'every' and 'steps' of at least 1")
        if len(self.references) > len(self.prompts):
            raise ValueError(f"field 'references': {len(self.references)} lists for {len(self.prompts)} prompts")
        if self.reference_area < 32 * 32:
            raise ValueError(f"field 'reference_area': at least 32 x 32 px, found {self.reference_area}")
        if self.cfg < 0:
            raise ValueError(f"field 'cfg': must be at least 0, found {self.cfg}")
        if any(side < 16 or side % 16 for side in self.size):
            raise ValueError(f"field 'size': width and height must be multiples of 16, found {self.size}")


@dataclass(frozen=True)
class MonitorConfig:
    """Who gets the metrics beside metrics.jsonl. ``tensorboard``: event files in OUT/tensorboard. ``wandb``: the name of
    a project there, which needs ``pip install wandb`` and a login."""

    tensorboard: bool = False
    wandb: str | None = None
