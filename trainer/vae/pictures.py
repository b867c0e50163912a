"""The pictures that the VAE is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from configs import UserError
from configs.files import package_folder
from configs.pictures import DecodeError, Limits, decode
from synth import Recipe
from trainer.vae.config import Stage, VAETrainConfig


def picture_pool(config: VAETrainConfig) -> np.ndarray:
    """(N, size, size, 3) uint8, shuffled: renderings and crops of photographs at random scales."""
    recipe, size = Recipe.load(config.pool.recipe), config.pool.size
    rng = np.random.Generator(np.random.PCG64([config.seed, 0]))
    glyphs = [np.asarray(recipe.render(index).image) for index in range(config.pool.glyphs)]
    if glyphs and glyphs[0].shape != (size, size, 3):
        raise UserError(f"pool.recipe {config.pool.recipe}: canvases must be {size} x {size}, found {glyphs[0].shape}")
    photographs = load_photographs(config.photographs, size)
    crops = [
        random_crop(photographs[int(rng.integers(len(photographs)))], size, rng) for _ in range(config.pool.photographs)
    ]
    return np.stack(glyphs + crops)[rng.permutation(len(glyphs) + len(crops))]


def load_photographs(packages: Sequence[tuple[str, str]], size: int) -> list[np.ndarray]:
    """Every picture of at least ``size`` px that the installed packages carry, decoded; in the order of their names."""
    folders = [package_folder(package, "photographs") / folder for package, folder in packages]
    return [picture for folder in folders for picture in pictures_in(folder, size)]


def pictures_in(folder: Path, size: int) -> list[np.ndarray]:
    """Every picture of at least ``size`` px in a folder, decoded; in the order of their names."""
    pictures = []
    for path in sorted(folder.glob("*")):
        try:
            picture = decode(path.read_bytes(), Limits())
        except (DecodeError, OSError):
            continue  # such folders hold other files too
        if min(picture.shape[:2]) >= size:
            pictures.append(picture)
    return pictures


def random_crop(picture: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A square of 1 to 4 times ``size``, reduced to ``size``; half of them mirrored."""
    side = int(min(size * 4 ** rng.random(), *picture.shape[:2]))
    y, x = (int(rng.integers(n - side + 1)) for n in picture.shape[:2])
    crop = Image.fromarray(picture[y : y + side, x : x + side]).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(crop)[:, :: 1 if rng.random() < 0.5 else -1]


def draw_batch(pool: Tensor, stage: Stage, seed: int, step: int) -> Tensor:
    """(batch, 3, size, size) uint8 of ``step``: pool pictures, tiled or cropped to the stage's size, colors exchanged."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=generator)

    n = -(-stage.size // pool.shape[-1])
    tiles = pool[draw(len(pool), stage.batch * n * n)].unflatten(0, (stage.batch, n, n))
    images = tiles.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
    y, x = draw(images.shape[-1] - stage.size + 1, 2).tolist()
    images = images[:, torch.randperm(3, generator=generator), y : y + stage.size, x : x + stage.size]
    return torch.where(draw(2, stage.batch, 1, 1, 1).bool(), images, 255 - images)
