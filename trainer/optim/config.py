"""How weights are updated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
