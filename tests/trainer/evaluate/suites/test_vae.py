"""The VAE's suite: pages and photographs of the size that is asked for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs import UserError
from trainer.evaluate.base import Item
from trainer.evaluate.config import EvaluateConfig, Reconstructions
from trainer.evaluate.suites.vae import Vae


def test_pages_are_cut_to_whole_latents():
    items = Vae(EvaluateConfig(vae=Reconstructions(0, 3, 128, recipe="configs/synth/vae.yaml"))).items()
    assert [(item.id, item.group) for item in items] == [(f"page-{n}", "pages") for n in range(3)]
    assert all(side % 8 == 0 for item in items for side in item.target.shape[:2])
    assert all(item.target.std() > 1 for item in items)


def test_photographs_come_from_a_folder(tmp_path: Path):
    Image.new("RGB", (90, 80), (200, 0, 0)).save(tmp_path / "red.png")
    Image.new("RGB", (20, 80)).save(tmp_path / "thin.png")
    (tmp_path / "note.txt").write_text("no picture")
    items = Vae(EvaluateConfig(vae=Reconstructions(2, 0, 64, folder=str(tmp_path)))).items()
    assert [(item.id, item.group) for item in items] == [
        ("photograph-0", "photographs"),
        ("photograph-1", "photographs"),
    ]
    assert all(item.target.shape == (64, 64, 3) and (item.target == [200, 0, 0]).all() for item in items)
    with pytest.raises(UserError, match="holds no picture of 256 px"):
        Vae(EvaluateConfig(vae=Reconstructions(2, 0, 256, folder=str(tmp_path)))).items()


def test_a_reconstruction_of_another_size_is_refused():
    item = Item("page-0", "", 64, 64, target=np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UserError, match="picture of page-0 has 32 x 64 px, expected 64 x 64"):
        Vae(EvaluateConfig()).look([item], [np.zeros((64, 32, 3), np.uint8)])
