"""The VAE alone: PSNR and SSIM of what it makes of photographs and of pages of text, by the posterior's mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from configs import UserError
from configs.pictures import DecodeError
from synth import Recipe
from trainer.evaluate.base import Item, Judged, Suite
from trainer.evaluate.reading.readings import load
from trainer.evaluate.scores.pictures import psnr, ssim
from trainer.vae.pictures import load_photographs, random_crop

_HELD_OUT = 1_000_000
"""Index from which on the recipe's pages are held out: no training renders as many; chosen."""
_PACKAGES = (("skimage", "data"), ("sklearn", "datasets/images"))


class Vae(Suite):
    name: ClassVar[str] = "vae"
    main = "psnr"
    draws = "reconstruct"
    reads = False
    anchors = "PSNR / SSIM: photographs (ImageNet 256) 33.42 / .9159, pages of text 36.63 / .9839"

    def items(self) -> list[Item]:
        wanted = self.config.vae
        pages = [_item("page", n, p) for n, p in enumerate(text_pages(wanted.recipe, wanted.pages, wanted.size))]
        crops = photographs(wanted.folder, wanted.photographs, wanted.size, self.config.seed)
        return [*(_item("photograph", n, p) for n, p in enumerate(crops)), *pages]

    def look(self, items: Sequence[Item], pictures: Sequence[np.ndarray]) -> list[Judged]:
        return [_compared(item, picture) for item, picture in zip(items, pictures, strict=True)]


def text_pages(recipe: str, count: int, size: int) -> list[np.ndarray]:
    """``count`` held-out renderings of at least ``size`` px a side, cut to multiples of 8."""
    if not count:
        return []
    opened = Recipe.load(recipe)
    found: list[np.ndarray] = []
    for index in range(_HELD_OUT, _HELD_OUT + 50 * count):
        picture = np.asarray(opened.render(index).image)
        if min(picture.shape[:2]) >= min(size, 64):
            found.append(picture[: picture.shape[0] // 8 * 8, : picture.shape[1] // 8 * 8])
        if len(found) == count:
            return found
    raise UserError(f"field 'vae.recipe': {recipe} renders hardly any picture of {size} px and more")


def photographs(folder: str, count: int, size: int, seed: int) -> list[np.ndarray]:
    """``count`` crops of ``size`` px out of the pictures of a folder, or of the installed packages."""
    if not count:
        return []
    whole = _of_folder(Path(folder), size) if folder else load_photographs(_PACKAGES, size)
    if not whole:
        raise UserError(f"field 'vae.folder': {folder} holds no picture of {size} px and more")
    rng = np.random.Generator(np.random.PCG64([seed, 1]))
    return [random_crop(whole[n % len(whole)], size, rng) for n in range(count)]


def _of_folder(folder: Path, size: int) -> list[np.ndarray]:
    if not folder.is_dir():
        raise UserError(f"field 'vae.folder': a folder of photographs is expected, found '{folder}'")
    found = []
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        try:
            picture = load(path)
        except (DecodeError, OSError):
            continue  # such folders hold other files, too
        if min(picture.shape[:2]) >= size:
            found.append(picture)
    return found


def _item(group: str, number: int, picture: np.ndarray) -> Item:
    height, width = picture.shape[:2]
    return Item(f"{group}-{number}", "", width, height, group=f"{group}s", target=np.ascontiguousarray(picture))


def _compared(item: Item, picture: np.ndarray) -> Judged:
    assert item.target is not None
    if picture.shape != item.target.shape:
        sizes = f"{picture.shape[1]} x {picture.shape[0]} px, expected {item.width} x {item.height}"
        raise UserError(f"suite vae: the picture of {item.id} has {sizes}; a reconstruction keeps the size")
    return {"psnr": (psnr(picture, item.target), 1.0), "ssim": (ssim(picture, item.target), 1.0)}
