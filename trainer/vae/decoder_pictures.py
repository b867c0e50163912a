"""What a decoder is trained on and what it is compared on: pages of text and photographs, none of them in both.

recipe: index 0 .. ──render──> pages ─┐
photographs, three of four files ─────┴─ crop by (seed, step, place) ─> batch
recipe: index 1,000,000 .. , every fourth file ──> held out
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from configs import UserError
from pipeline.progress import progress
from synth import Recipe
from trainer.vae.decoder_config import DecoderConfig
from trainer.vae.pictures import load_photographs, pictures_in, random_crop

_HELD_OUT = 1_000_000
"""Index from which on pages are held out; chosen: no training renders as many."""
HELD_OUT_EVERY = 4  # one of so many photographs is held out; chosen
_TRIES, _INKED = 4, 12.0
"""Crops of a page that are tried for one with writing in it, and the deviation of a channel from which on there is some:
margins have nothing to learn. Chosen."""
_PACKAGES = (("skimage", "data"), ("sklearn", "datasets/images"))


class DecoderPictures:
    """Raises UserError where there are no photographs, or pages are smaller than the crops."""

    def __init__(self, config: DecoderConfig) -> None:
        self.config = config
        whole = photographs(config.photographs, config.size)
        self.trained = [p for n, p in enumerate(whole) if n % HELD_OUT_EVERY]
        if not self.trained and config.text < 1:
            raise UserError(
                f"field 'photographs': {len(whole)} pictures of {config.size} px and more; at least 2 are needed"
            )
        self.pages = _render(config) if config.text else []

    def batch(self, step: int) -> Tensor:
        """uint8 (batch, 3, size, size) of a step, the same each time."""
        rng = np.random.Generator(np.random.PCG64([self.config.seed, 2, step]))
        texts = rng.random(self.config.batch) < self.config.text
        crops = [self._page(rng) if text else self._photograph(rng) for text in texts]
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()

    def _page(self, rng: np.random.Generator) -> np.ndarray:
        """Unscaled: strokes of pages are as thin as they are drawn. Colors are exchanged, as there are few of them."""
        page, size = self.pages[int(rng.integers(len(self.pages)))], self.config.size
        for _ in range(_TRIES):
            y, x = (int(rng.integers(side - size + 1)) for side in page.shape[:2])
            crop = page[y : y + size, x : x + size]
            if crop.std((0, 1)).max() > _INKED:
                break
        return crop[..., rng.permutation(3)]

    def _photograph(self, rng: np.random.Generator) -> np.ndarray:
        return random_crop(self.trained[int(rng.integers(len(self.trained)))], self.config.size, rng)


def held_out(config: DecoderConfig) -> dict[str, list[np.ndarray]]:
    """``pages`` and ``photographs`` that training never sees, uint8 (H, W, 3) each."""
    wanted = config.held_out
    whole = photographs(config.photographs, wanted.size)[::HELD_OUT_EVERY]
    crops = crops_of(whole, wanted.photographs, wanted.size, config.seed) if whole else []
    return {"pages": held_out_pages(config.recipe, wanted.pages), "photographs": crops}


def held_out_pages(recipe: str, count: int) -> list[np.ndarray]:
    """``count`` pages that no pool of training holds, cut to multiples of 8 px."""
    opened = Recipe.load(recipe)
    return [_whole_latents(np.asarray(opened.render(_HELD_OUT + n).image)) for n in range(count)]


def crops_of(whole: Sequence[np.ndarray], count: int, size: int, seed: int) -> list[np.ndarray]:
    """``count`` crops of ``size`` px, of one picture after the other."""
    rng = np.random.Generator(np.random.PCG64([seed, 3]))
    return [random_crop(whole[n % len(whole)], size, rng) for n in range(count)]


def photographs(folder: str, size: int) -> list[np.ndarray]:
    """Pictures of at least ``size`` px of a folder, or of the installed packages, by name."""
    if not folder:
        return load_photographs(_PACKAGES, size)
    if not Path(folder).is_dir():
        raise UserError(f"photographs: a folder of them is expected, found '{folder}'")
    return pictures_in(Path(folder), size)


def _render(config: DecoderConfig) -> list[np.ndarray]:
    recipe, pages = Recipe.load(config.recipe), []
    with progress("render pages", config.pages, "pages") as counter:
        for index in range(config.pages):
            page = np.asarray(recipe.render(index).image)
            if min(page.shape[:2]) < config.size:
                sizes = f"{page.shape[1]} x {page.shape[0]}"
                raise UserError(
                    f"field 'size': {config.recipe} renders {sizes} px, smaller than crops of {config.size}"
                )
            pages.append(page)
            counter.add(1)
    return pages


def _whole_latents(page: np.ndarray) -> np.ndarray:
    """Cut to multiples of 8 px."""
    return np.ascontiguousarray(page[: page.shape[0] // 8 * 8, : page.shape[1] // 8 * 8])
