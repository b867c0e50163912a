"""What is shown while training goes on."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.predicate import parse


@dataclass(frozen=True)
class SamplesConfig:
    """Fixed prompts sampled at fixed seeds every ``every`` steps and at the end. ``size``: width, height in px.

    ``references``: for each prompt the pictures that it edits, files. ``rows``: of the dataset at most so many, too, with
    their own captions or instructions, references, and aspect ratios at the area of ``size``: the first for which
    ``where`` holds; null: those that are held out for the validation loss, or else those of the last phase.
    ``reference_area``, ``vision_area``: px at which the VAE and the vision tower see references, null as released.
    """

    prompts: tuple[str, ...] = ()
    every: int = 500
    size: tuple[int, int] = (256, 256)
    steps: int = 20
    cfg: float = 4.0
    references: tuple[tuple[str, ...], ...] = ()
    rows: int = 0
    where: str | None = None
    reference_area: int = 1024 * 1024
    vision_area: int | None = None

    def __post_init__(self) -> None:
        if not (self.prompts or self.rows > 0) or self.every < 1 or self.steps < 1:
            raise ValueError("samples: wants prompts or rows, and 'every' and 'steps' of at least 1")
        if self.where is not None:
            parse(self.where, "field 'where'")
        if len(self.references) > len(self.prompts):
            raise ValueError(f"field 'references': {len(self.references)} lists for {len(self.prompts)} prompts")
        for name in ("reference_area", "vision_area"):
            area = getattr(self, name)
            if area is not None and area < 32 * 32:
                raise ValueError(f"field '{name}': at least 32 x 32 px, found {area}")
        if self.cfg < 0:
            raise ValueError(f"field 'cfg': must be at least 0, found {self.cfg}")
        if any(side < 16 or side % 16 for side in self.size):
            raise ValueError(f"field 'size': width and height must be multiples of 16, found {self.size}")


@dataclass(frozen=True)
class ValidationConfig:
    """Rows for which ``where`` holds are not trained on; every ``every`` steps and at the end the loss of ``samples`` of
    them is measured, as the last phase would train them, with the averaged weights: those that are exported.

    Ids are hashes in hexadecimal: ``id < '1'`` holds a sixteenth of the rows out, ``id < '04'`` a sixty-fourth.
    """

    where: str
    samples: int = 64
    every: int = 500

    def __post_init__(self) -> None:
        parse(self.where, "field 'where'")
        for name in ("samples", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"field '{name}': must be at least 1, found {getattr(self, name)}")


@dataclass(frozen=True)
class MonitorConfig:
    """Who gets the metrics beside metrics.jsonl. ``tensorboard``: event files in OUT/tensorboard. ``wandb``: the name of
    a project there, which needs ``pip install wandb`` and a login."""

    tensorboard: bool = False
    wandb: str | None = None
