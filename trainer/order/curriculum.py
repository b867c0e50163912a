"""The curriculum as a config: phases of training, each a predicate over the manifest with a mixture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipeline.predicate import parse

Task = Literal["t2i", "ti2i", "i2i"]
_SMALLEST_AREA = 32 * 32
"""px: of a reference, whose sides are multiples of 32."""


@dataclass(frozen=True)
class ReferenceConfig:
    """At what size the encoders see references, px of area; null: as the base model's pipeline has it (1024 x 1024 for
    the VAE; for the vision tower 384 x 384 where a prompt takes several references, else 1024 x 1024)."""

    vae_area: int | None = None
    vision_area: int | None = None

    def __post_init__(self) -> None:
        for name in ("vae_area", "vision_area"):
            value = getattr(self, name)
            if value is not None and value < _SMALLEST_AREA:
                raise ValueError(f"field '{name}': must be at least {_SMALLEST_AREA} px (32 x 32), found {value}")


@dataclass(frozen=True)
class Share:
    """A part of a phase's mixture: rows for which ``where`` holds (and no earlier share's did).

    ``weight``: share of the samples, relative to the others'; ``end``: its value at the last step of
    the phase when it ramps linearly, else null. ``task``: what its rows are trained as, null for what each one is:
    ``i2i`` takes any row and gives it back from itself, ``t2i`` takes edit rows that have captions. ``optional``: a
    dataset without rows for this share is trained on without it, its weight goes to the other shares with this ``task``,
    and that is said; else it is an error. Shares with another ``task`` may take the same rows.
    """

    where: str
    weight: float
    end: float | None = None
    task: Task | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        parse(self.where, "field 'where'")
        for name, value in (("weight", self.weight), ("end", self.end)):
            if value is not None and value < 0:
                raise ValueError(f"field '{name}': must not be negative, found {value}")


@dataclass(frozen=True)
class Phase:
    """``resolutions``: sides of squares in px, drawn equally often. ``where``: the rows of the phase.

    ``tokens``: image tokens of a global batch, those of references counted, on average. ``lr``: factor on the optimizer's rate.
    ``mixture``: empty takes all rows as they come, weighted by ``repeats``. ``upscale``: a picture that
    would have to grow by more to fill its size is left out at that resolution (chosen). ``references``: their sizes.
    ``optional``: a dataset without rows for this phase is trained on without it, and that is said; else it is an error.
    """

    name: str
    steps: int
    resolutions: tuple[int, ...]
    where: str
    tokens: int
    mixture: tuple[Share, ...] = ()
    lr: float = 1.0
    upscale: float = 1.25
    optional: bool = False
    references: ReferenceConfig = field(default_factory=ReferenceConfig)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"phase {self.name}: field 'steps': must be at least 1, found {self.steps}")
        if not self.resolutions or any(side < 16 or side % 16 for side in self.resolutions):
            raise ValueError(
                f"phase {self.name}: field 'resolutions': sides in multiples of 16 px, found {list(self.resolutions)}"
            )
        if self.tokens < 1:
            raise ValueError(f"phase {self.name}: field 'tokens': must be at least 1, found {self.tokens}")
        for name in ("lr", "upscale"):
            if getattr(self, name) <= 0:
                raise ValueError(f"phase {self.name}: field '{name}': must be above 0, found {getattr(self, name)}")
        for end in (False, True):
            weights = [s.end if end and s.end is not None else s.weight for s in self.mixture]
            if self.mixture and sum(weights) <= 0:
                raise ValueError(f"phase {self.name}: field 'mixture': at least one weight must be above 0")
        parse(self.where, f"phase {self.name}, where")


def check_phases(phases: tuple[Phase, ...]) -> None:
    """Raise ValueError unless there is a phase and names are unique."""
    if not phases:
        raise ValueError("field 'phases': at least one phase is expected")
    names = [phase.name for phase in phases]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"field 'phases.{index}.name': '{name}' is given twice; names are unique")
