"""The VAE alone: PSNR and SSIM of what it makes of photographs and of pages of text, by the posterior's mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from configs import UserError
from trainer.evaluate.base import Item, Judged, Suite
from trainer.evaluate.scores.pictures import psnr, ssim
from trainer.vae.decoder_pictures import HELD_OUT_EVERY, crops_of, held_out_pages, photographs


class Vae(Suite):
    name: ClassVar[str] = "vae"
    main = "psnr"
    draws = "reconstruct"
    reads = False
    anchors = "PSNR / SSIM: photographs (ImageNet 256) 33.42 / .9159, pages of text 36.63 / .9839"

    def items(self) -> list[Item]:
        wanted = self.config.vae
        pages = [_item("page", n, p) for n, p in enumerate(held_out_pages(wanted.recipe, wanted.pages))]
        crops = _photographs(wanted.folder, wanted.photographs, wanted.size, self.config.seed)
        return [*(_item("photograph", n, p) for n, p in enumerate(crops)), *pages]

    def look(self, items: Sequence[Item], pictures: Sequence[np.ndarray]) -> list[Judged]:
        return [_compared(item, picture) for item, picture in zip(items, pictures, strict=True)]


def _photographs(folder: str, count: int, size: int, seed: int) -> list[np.ndarray]:
    """``count`` crops out of a folder's pictures, or of those of the installed packages that no decoder is trained on."""
    if not count:
        return []
    whole = photographs(folder, size) if folder else photographs(folder, size)[::HELD_OUT_EVERY]
    if not whole:
        raise UserError(f"field 'vae.folder': {folder} holds no picture of {size} px and more")
    return crops_of(whole, count, size, seed)


def _item(group: str, number: int, picture: np.ndarray) -> Item:
    height, width = picture.shape[:2]
    return Item(f"{group}-{number}", "", width, height, group=f"{group}s", target=np.ascontiguousarray(picture))


def _compared(item: Item, picture: np.ndarray) -> Judged:
    assert item.target is not None
    if picture.shape != item.target.shape:
        sizes = f"{picture.shape[1]} x {picture.shape[0]} px, expected {item.width} x {item.height}"
        raise UserError(f"suite vae: the picture of {item.id} has {sizes}; a reconstruction keeps the size")
    return {"psnr": (psnr(picture, item.target), 1.0), "ssim": (ssim(picture, item.target), 1.0)}
