"""Pictures of fixed prompts at fixed seeds while training goes on: a row per checkpoint in time, all of them in one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from configs.contact_sheet import Cell, contact_sheet
from configs.files import replace_picture
from configs.pictures import DecodeError, Limits, decode
from model.qwen_image import QwenImage
from trainer.monitor.config import SamplesConfig
from trainer.monitor.examples import Example

GAP, LABEL, WHITE = 4, 60, (255, 255, 255)
"""px between pictures, and for the step's number on the left."""
_PREFIX = "step-"


def draw_samples(
    sampler: QwenImage, shown: Sequence[Example], config: SamplesConfig, negative: str
) -> list[Image.Image]:
    """A picture of each. ``negative``: what captions are dropped to. All ranks of a divided network call this."""
    return sampler.sample(
        [example.prompt for example in shown],
        [example.size[1] for example in shown],
        [example.size[0] for example in shown],
        steps=config.steps,
        cfg=config.cfg,
        negative=negative,
        references=[example.references for example in shown],
        reference_area=config.reference_area,
        vision_area=config.vision_area,
    )


def save_samples(out: Path, step: int, pictures: Sequence[Image.Image], shown: Sequence[Example]) -> None:
    """Write a row of pictures to samples/step-*.png, and renew samples.png.

    Edits stand after their references, and before what the dataset has for them.
    """
    folder = out / "samples"
    cells = [Cell(part) for example, picture in zip(shown, pictures, strict=True) for part in _parts(example, picture)]
    replace_picture(folder / f"{_PREFIX}{step}.png", contact_sheet([cells], GAP, WHITE))
    replace_picture(out / "samples.png", sheet(folder))


def _parts(example: Example, picture: Image.Image) -> list[Image.Image]:
    targets = [example.target.resize(picture.size)] if example.target else []
    return [*(r.resize(picture.size) for r in example.references), picture, *targets]


def sheet(folder: Path) -> Image.Image:
    """All rows of ``folder`` under each other, earliest first, each with its step. A damaged one is told and left out."""
    named = {path.stem.removeprefix(_PREFIX): path for path in folder.glob(f"{_PREFIX}*.png")}
    found = [(int(step), _row(path)) for step, path in named.items() if step.isdecimal()]
    rows = [(step, row) for step, row in sorted(found, key=lambda each: each[0]) if row is not None]
    titles = [str(step) for step, _ in rows]
    return contact_sheet([[Cell(row)] for _, row in rows], GAP, WHITE, titles=titles, title_width=LABEL)


def _row(path: Path) -> Image.Image | None:
    try:
        return Image.fromarray(decode(path.read_bytes(), Limits()))
    except (OSError, DecodeError) as error:
        print(f"{path}: cannot be read ({error}); samples.png goes without it: delete it", flush=True)
        return None
