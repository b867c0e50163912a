"""Pictures of fixed prompts at fixed seeds while training goes on: a row per checkpoint in time, all of them in one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from configs.pictures import Limits, decode
from model.mmdit import MMDiT
from model.qwen_image import QwenImage
from trainer.config import SamplesConfig
from trainer.optim.ema import Average

GAP, LABEL = 4, 60
"""px between pictures, and for the step's number on the left."""


def draw_samples(
    out: Path, step: int, model: MMDiT, average: Average, parts: QwenImage, config: SamplesConfig, negative: str
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
    _row(pictures).save(folder / f"step-{step:06d}.png")
    sheet(folder).save(out / "samples.png")


def sheet(folder: Path) -> Image.Image:
    """All rows of ``folder`` under each other, earliest first, each with its step."""
    files = sorted(folder.glob("step-*.png"))
    rows = [Image.fromarray(decode(path.read_bytes(), Limits())) for path in files]
    width = LABEL + max(row.width for row in rows)
    whole = Image.new("RGB", (width, sum(row.height + GAP for row in rows)), "white")
    pen, top = ImageDraw.Draw(whole), 0
    for path, row in zip(files, rows, strict=True):
        pen.text((4, top + row.height // 2 - 5), str(int(path.stem.removeprefix("step-"))), fill="black")
        whole.paste(row, (LABEL, top))
        top += row.height + GAP
    return whole


def _row(pictures: Sequence[Image.Image]) -> Image.Image:
    arrays = [np.pad(np.asarray(p), ((0, 0), (0, GAP), (0, 0)), constant_values=255) for p in pictures]
    return Image.fromarray(np.concatenate(arrays, axis=1))
