"""Pictures of fixed prompts at fixed seeds while training goes on: a row per checkpoint in time, all of them in one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from configs import UserError
from configs.contact_sheet import Cell, contact_sheet
from configs.pictures import DecodeError, Limits, decode
from model.qwen_image import QwenImage
from trainer.monitor.config import SamplesConfig

GAP, LABEL, WHITE = 4, 60, (255, 255, 255)
"""px between pictures, and for the step's number on the left."""
_PREFIX = "step-"


def draw_samples(sampler: QwenImage, config: SamplesConfig, negative: str) -> list[Image.Image]:
    """A picture of each prompt. ``negative``: what captions are dropped to. All ranks of a divided network call this."""
    width, height = config.size
    return sampler.sample(
        list(config.prompts),
        height,
        width,
        steps=config.steps,
        cfg=config.cfg,
        negative=negative,
        references=_references(config),
        reference_area=config.reference_area,
    )


def save_samples(out: Path, step: int, pictures: Sequence[Image.Image], config: SamplesConfig) -> None:
    """Write a row of pictures to samples/step-*.png, edits after their references, and renew samples.png."""
    folder = out / "samples"
    folder.mkdir(exist_ok=True)
    shown = [
        Cell(picture)
        for references, picture in zip(_references(config), pictures, strict=True)
        for picture in (*(r.resize(config.size) for r in references), picture)
    ]
    contact_sheet([shown], GAP, WHITE).save(folder / f"{_PREFIX}{step}.png")
    sheet(folder).save(out / "samples.png")


def sheet(folder: Path) -> Image.Image:
    """All rows of ``folder`` under each other, earliest first, each with its step."""
    steps = {int(path.stem.removeprefix(_PREFIX)): path for path in folder.glob(f"{_PREFIX}*.png")}
    rows = [Image.fromarray(decode(steps[step].read_bytes(), Limits())) for step in sorted(steps)]
    titles = [str(step) for step in sorted(steps)]
    return contact_sheet([[Cell(row)] for row in rows], GAP, WHITE, titles=titles, title_width=LABEL)


def check_samples(config: SamplesConfig | None) -> None:
    """Raise UserError for a reference that is missing or no picture."""
    if config:
        _references(config)


def _references(config: SamplesConfig) -> list[list[Image.Image]]:
    """The references of each prompt, none for those beyond the end of the list."""
    given = [*config.references, *[()] * (len(config.prompts) - len(config.references))]
    return [[_read(path) for path in paths] for paths in given]


def _read(path: str) -> Image.Image:
    try:
        return Image.fromarray(decode(Path(path).read_bytes(), Limits()))
    except OSError as error:
        raise UserError(f"field 'samples.references': {path}: cannot be read: {error.strerror}") from None
    except DecodeError as error:
        raise UserError(f"field 'samples.references': {path}: {error}") from None
