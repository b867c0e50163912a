"""What a decoder sees: the same batches each time, and nothing of what is held out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from configs import UserError
from trainer.vae.decoder_config import DecoderConfig, HeldOutPictures
from trainer.vae.decoder_pictures import DecoderPictures, held_out, photographs


def folder_of(path: Path, count: int) -> Path:
    """Photographs of one gray each: 10, 20, 30 ..."""
    path.mkdir()
    for number in range(count):
        Image.new("RGB", (64, 64), ((number + 1) * 10,) * 3).save(path / f"{number}.png")
    (path / "note.txt").write_text("no picture")
    return path


def settings(folder: Path, text: float) -> DecoderConfig:
    held = HeldOutPictures(2, 4, 32)
    recipe = "configs/synth/vae.yaml"
    return DecoderConfig(9, 8, 32, recipe=recipe, pages=3, text=text, photographs=str(folder), held_out=held)


def test_held_out_photographs_are_never_trained_on(tmp_path: Path) -> None:
    config = settings(folder_of(tmp_path / "p", 8), text=0.0)
    pictures = DecoderPictures(config)
    seen = {int(v) for step in range(12) for v in pictures.batch(step).unique()}
    kept = {int(p.mean()) for p in held_out(config)["photographs"]}
    assert kept == {10, 50}
    assert seen == {20, 30, 40, 60, 70, 80}


def test_a_batch_is_a_function_of_seed_and_step(tmp_path: Path) -> None:
    config = settings(folder_of(tmp_path / "p", 4), text=0.5)
    one, other = DecoderPictures(config), DecoderPictures(config)
    assert one.batch(3).shape == (8, 3, 32, 32)
    assert torch.equal(one.batch(3), other.batch(3))
    assert not torch.equal(one.batch(3), one.batch(4))


def test_pages_that_are_held_out_are_none_of_the_pool(tmp_path: Path) -> None:
    config = settings(folder_of(tmp_path / "p", 4), text=1.0)
    pages = held_out(config)["pages"]
    assert len(pages) == 2
    assert not any(np.array_equal(a, b) for a in pages for b in DecoderPictures(config).pages)


def test_too_few_or_too_small_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 2 are needed"):
        DecoderPictures(settings(folder_of(tmp_path / "p", 1), text=0.5))
    with pytest.raises(UserError, match="a folder of them is expected"):
        photographs(str(tmp_path / "nowhere"), 32)
    large = DecoderConfig(1, 1, 128, recipe="configs/synth/vae.yaml", pages=1, text=1.0)
    with pytest.raises(UserError, match="smaller than crops of 128"):
        DecoderPictures(large)
