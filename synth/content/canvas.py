"""The canvases of a recipe, and the size of one sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synth.choice import choose
from synth.sizes import sizes


@dataclass(frozen=True)
class Canvas:
    """A picture size in px (width, height) and how often it comes.

    ``resolution`` instead: the nine aspect ratios of training at that resolution (px, the root of the area), each as
    often, in the very sizes that training takes unchanged.
    """

    renamed: ClassVar[dict[str, str]] = {"share": "weight"}

    size: tuple[int, int] | None = None
    resolution: int | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if (self.size is None) == (self.resolution is None):
            raise ValueError("a canvas needs either size or resolution")
        if self.size and not all(16 <= side <= 4096 for side in self.size):
            raise ValueError(f"size must be [width, height] within 16..4096 px, found {list(self.size)}")
        if self.resolution and not 64 <= self.resolution <= 2048:
            raise ValueError(f"resolution must be within 64..2048 px, found {self.resolution}")
        if self.weight <= 0:
            raise ValueError(f"weight must be above 0, found {self.weight:g}")


def pick_size(canvases: Sequence[Canvas], rng: np.random.Generator) -> tuple[int, int]:
    """Width and height of one canvas in px, drawn by their weights."""
    canvas = canvases[choose(rng, [c.weight for c in canvases])]
    if canvas.size:
        return canvas.size
    assert canvas.resolution
    nine = sizes(canvas.resolution)
    return nine[int(rng.integers(len(nine)))]
