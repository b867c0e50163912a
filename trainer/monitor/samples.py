"""Pictures of fixed prompts at fixed seeds while training goes on: a row per checkpoint in time, all of them in one sheet."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from configs.contact_sheet import Cell, contact_sheet
from configs.pictures import Limits, decode
from model.mmdit import MMDiT
from model.qwen_image import QwenImage
from trainer.monitor.config import SamplesConfig
from trainer.optim.ema import EMA

GAP, LABEL, WHITE = 4, 60, (255, 255, 255)
"""px between pictures, and for the step's number on the left."""


def draw_samples(
    out: Path, step: int, model: MMDiT, average: EMA, parts: QwenImage, config: SamplesConfig, negative: str
) -> None:
    """Sample the prompts with the averaged weights into samples/step-*.png, and renew samples.png.

    ``parts``: VAE, conditioner and schedule; its transformer is not used. ``negative``: what captions are dropped to.
    """
    with torch.device("meta"):
        averaged = MMDiT(model.config)
    averaged.load_state_dict(average.state(model), assign=True)
    sampler = QwenImage(averaged.eval(), parts.vae, parts.conditioner, parts.schedule)
    width, height = config.size
    pictures = sampler.sample(
        list(config.prompts), height, width, steps=config.steps, cfg=config.cfg, negative=negative
    )
    folder = out / "samples"
    folder.mkdir(exist_ok=True)
    contact_sheet([[Cell(picture) for picture in pictures]], GAP, WHITE).save(folder / f"step-{step:06d}.png")
    sheet(folder).save(out / "samples.png")


def sheet(folder: Path) -> Image.Image:
    """All rows of ``folder`` under each other, earliest first, each with its step."""
    files = sorted(folder.glob("step-*.png"))
    rows = [Image.fromarray(decode(path.read_bytes(), Limits())) for path in files]
    steps = [str(int(path.stem.removeprefix("step-"))) for path in files]
    return contact_sheet([[Cell(row)] for row in rows], GAP, WHITE, titles=steps, title_width=LABEL)
