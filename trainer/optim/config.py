"""How weights are updated, and what of that lives where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Plan = Literal["adamw", "adamw8bit", "adafactor"]


@dataclass(frozen=True)
class OptimizerConfig:
    """Defaults follow the successor's report (FACTS 3) where it speaks: weight decay 0.001, clip 1, rate 1e-4.

    ``kind``: ``muon`` gives the matrices of the blocks, and a VAE's kernels, to Muon (``muon.py``) and leaves the rest to AdamW.
    ``plan``: what is kept for each weight (``plans.py``): two moments in fp32, both in 8 bits, or the second
    alone by rows and columns. ``weights``: how they are stored; bf16 ones are updated in fp32 and rounded
    stochastically. ``in_backward``: each block is clipped and stepped as the backward pass leaves it, so that
    one block's gradients exist at a time (``backward.py``). ``offload_blocks``: the first n blocks' weights and
    optimizer states live on the host.
    ``warmup`` in steps; then a ``cosine`` to ``final`` times the rate, or ``constant``.
    ``ema``: decay of the averaged weights, warmed up; the averaged ones are exported. 0 or null: there are none.
    """

    kind: Literal["adamw", "muon"] = "adamw"
    plan: Plan = "adamw"
    weights: Literal["fp32", "bf16"] = "fp32"
    in_backward: bool = False
    offload_blocks: int = 0
    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-15
    weight_decay: float = 0.001
    warmup: int = 100
    schedule: Literal["cosine", "constant"] = "cosine"
    final: float = 0.0
    clip: float = 1.0
    ema: float | None = 0.999
    ema_device: Literal["device", "host"] = "device"

    def __post_init__(self) -> None:
        for name in ("lr", "eps", "clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"field '{name}': must be above 0, found {getattr(self, name)}")
        for name in ("weight_decay", "warmup", "final", "offload_blocks"):
            if getattr(self, name) < 0:
                raise ValueError(f"field '{name}': must be at least 0, found {getattr(self, name)}")
        if self.final > 1:
            raise ValueError(f"field 'final': a fraction of the rate within 0..1, found {self.final}")
        if not all(0 <= b < 1 for b in (*self.betas, self.ema or 0.0)):
            raise ValueError(f"fields 'betas', 'ema': must be within 0..1, found {self.betas}, {self.ema}")
        if self.kind == "muon":
            self._check_muon()

    def _check_muon(self) -> None:
        for name, needed in {"plan": "adamw", "weights": "fp32", "in_backward": False, "offload_blocks": 0}.items():
            if getattr(self, name) != needed:
                raise ValueError(
                    f"field '{name}': kind muon works on all matrices of a shape at once, in fp32, and needs {needed!r}; "
                    f"found {getattr(self, name)!r}: take kind adamw"
                )
