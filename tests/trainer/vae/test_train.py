"""The tiny VAE: what its training draws and saves, and that the committed file reconstructs glyphs."""

import dataclasses

import numpy as np
import pytest
import torch

import configs
from configs import UserError
from model.vae_weights import load_image_vae, save_image_vae
from synth import Recipe
from trainer.vae.config import Rates, Stage, VAETrainConfig
from trainer.vae.pictures import draw_batch, picture_pool, random_crop
from trainer.vae.train import new_vae, psnr, rate, train_vae, with_statistics

ASSET = "model/assets/tiny-vae.safetensors"
CONFIG = "configs/train/vae.yaml"


@pytest.mark.parametrize("stage", [Stage(1, 32, 3), Stage(1, 64, 2), Stage(1, 128, 2)])
def test_a_batch_is_a_function_of_seed_and_step(stage):
    pool = torch.randint(0, 256, (9, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    batch = draw_batch(pool, stage, seed=5, step=7)
    assert batch.shape == (stage.batch, 3, stage.size, stage.size)
    assert batch.dtype == torch.uint8
    assert torch.equal(batch, draw_batch(pool, stage, seed=5, step=7))
    assert not torch.equal(batch, draw_batch(pool, stage, seed=5, step=8))


def test_tiles_are_whole_pictures_in_place():
    pool = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 64, 64) * 60
    batch = draw_batch(pool, Stage(1, 128, 4), seed=0, step=0).unfold(2, 64, 64).unfold(3, 64, 64)
    assert (batch == batch[..., :1, :1]).all()


def test_rate_rises_and_falls():
    lr = Rates(peak=1.0, warm_up=10, decay=0.5)
    values = [rate(step, 100, lr) for step in range(100)]
    assert values[0] == pytest.approx(0.1)
    assert values[10:50] == [1.0] * 40
    assert values[-1] == pytest.approx(0.02)


def test_crop_has_the_size_and_the_pictures_own_pixels():
    picture = np.zeros((90, 300, 3), np.uint8)
    picture[..., 0] = 200
    crop = random_crop(picture, 64, np.random.Generator(np.random.PCG64(0)))
    assert crop.shape == (64, 64, 3)
    assert (crop == [200, 0, 0]).all()


def test_training_is_reproducible_and_learns(tmp_path):
    overrides = [
        "stages=[{steps: 40, size: 32, batch: 8}]",
        "pool.glyphs=60",
        "pool.photographs=20",
        "shape.base_dim=8",
    ]
    config = configs.load(CONFIG, VAETrainConfig, overrides)
    first, second = (load_image_vae(train_vae(config, tmp_path / name)) for name in ("a", "b"))
    assert first.config == second.config
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    images = torch.from_numpy(picture_pool(config)).permute(0, 3, 1, 2)
    assert psnr(first, images) > psnr(new_vae(config.shape), images) + 1


def test_file_keeps_weights_and_statistics(tmp_path):
    vae = new_vae(dataclasses.replace(configs.load(CONFIG, VAETrainConfig).shape, base_dim=8))
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    measured = with_statistics(vae, images)
    save_image_vae(measured, tmp_path / "vae.safetensors")
    back = load_image_vae(tmp_path / "vae.safetensors")
    latents = back.encode(images)
    # measured over all channels, kept to four digits: 5e-5 of deviations that are well above a hundredth
    assert latents.mean((0, 2, 3)).abs().max() < 1e-2
    assert latents.std((0, 2, 3)).sub(1).abs().max() < 1e-2
    assert torch.equal(latents, measured.encode(images))


def test_pool_of_another_size_is_refused(tmp_path):
    overrides = ["pool.recipe=configs/synth/pure.yaml", "pool.glyphs=1"]
    with pytest.raises(UserError, match="canvases must be 64 x 64"):
        train_vae(configs.load(CONFIG, VAETrainConfig, overrides), tmp_path)


def test_the_committed_vae_reconstructs_the_recipes_glyphs():
    """Strokes survive f8: PSNR well above what blurred glyphs reach (22 dB when halved and enlarged)."""
    recipe = Recipe.load("configs/synth/vae.yaml")
    images = np.stack([np.asarray(recipe.render(1_000_000 + i).image) for i in range(24)])  # none of the pool's
    assert psnr(load_image_vae(ASSET), torch.from_numpy(images).permute(0, 3, 1, 2)) > 27


def test_the_committed_vae_is_small_and_its_latents_are_normalised():
    from pathlib import Path

    assert Path(ASSET).stat().st_size <= 4 * 2**20
    recipe = Recipe.load("configs/synth/vae.yaml")
    images = np.stack([np.asarray(recipe.render(i).image) for i in range(48)])
    latents = load_image_vae(ASSET).encode(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert 0.7 < latents.std() < 1.3
    assert latents.mean().abs() < 0.2
