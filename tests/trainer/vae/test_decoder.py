"""The decoder's training: what changes and what does not, that it goes on, what it is compared on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import configs
from configs import RunFailed, UserError
from model.files import iterate_tensors
from model.vae_weights import load_image_vae, load_vae_folder
from tests.model.folders import random_folder
from trainer.__main__ import main
from trainer.optim.optimizer import make_optimizer
from trainer.vae import decoder
from trainer.vae.decoder import compare, load_vae, train_decoder
from trainer.vae.decoder_config import DecoderConfig

ASSET = Path("model/assets/tiny-vae.safetensors")
SMALL = (
    *("steps=6", "batch=2", "size=32", "pages=4", "checkpoint.every=3", "precision=fp32", "optimizer.warmup=1"),
    *("recipe=configs/synth/vae.yaml", "held_out={pages: 3, photographs: 2, size: 64}", "device=cpu", "threads=1"),
)


def config(*more: str) -> DecoderConfig:
    return configs.load("configs/train/decoder.yaml", DecoderConfig, [*SMALL, *more])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("decoder") / "out"
    train_decoder(config(), ASSET, out)
    return out


def test_the_decoder_changes_and_nothing_else(trained: Path) -> None:
    before, after = load_image_vae(ASSET), load_image_vae(trained / ASSET.name)
    assert after.config == before.config
    different = {n for n, p in after.named_parameters() if not torch.equal(p, before.get_parameter(n))}
    assert different
    assert all(name.startswith(("decoder.", "post_quant_conv.")) for name in different)


def test_it_leaves_figures_and_metrics(trained: Path) -> None:
    report = json.loads((trained / "vae.json").read_text())
    assert {kind: found["count"] for kind, found in report["after"].items()} == {"pages": 3, "photographs": 2}
    assert report["before"] != report["after"]
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(6))
    assert [line["share"] for line in lines][::5] == pytest.approx(config().perceptual.share)


def test_killed_it_goes_on_to_the_same_weights(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = decoder.DecoderPictures.batch

    def dies(self: decoder.DecoderPictures, step: int) -> torch.Tensor:
        if step == 4:
            raise RunFailed("the machine was taken away")
        return whole(self, step)

    monkeypatch.setattr(decoder.DecoderPictures, "batch", dies)
    with pytest.raises(RunFailed, match="taken away"):
        train_decoder(config(), ASSET, tmp_path)
    monkeypatch.undo()
    train_decoder(config(), ASSET, tmp_path)
    one, other = load_image_vae(trained / ASSET.name), load_image_vae(tmp_path / ASSET.name)
    assert all(torch.equal(p, other.get_parameter(n)) for n, p in one.named_parameters())
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 6


def test_another_config_in_the_same_folder_is_refused(trained: Path) -> None:
    with pytest.raises(UserError, match="was started with another 'batch'"):
        train_decoder(config("batch=3"), ASSET, trained)
    assert train_decoder(config(), ASSET, trained)["steps"] == 6  # finished before: nothing is trained


def test_a_diffusers_folder_keeps_what_belongs_to_videos(tmp_path: Path) -> None:
    out = tmp_path / "out"
    train_decoder(
        config("steps=1", "perceptual.pictures=0", "held_out={pages: 1, photographs: 0}"), random_folder(), out
    )
    before, after = (dict(iterate_tensors(folder)) for folder in (random_folder() / "vae", out / "vae"))
    assert before.keys() == after.keys()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith(("decoder.", "post_quant_conv.")) for name in changed)
    assert not any(".time_conv." in name for name in changed)
    kernel = next(name for name in changed if after[name].ndim == 5)
    assert torch.equal(before[kernel][:, :, :-1], after[kernel][:, :, :-1])
    assert load_vae_folder(out / "vae").config == load_vae_folder(random_folder()).config


def test_a_gradient_that_is_not_finite_ends_it_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"step \d: the gradient is not finite; .* lower optimizer.lr"):
        train_decoder(config("optimizer.lr=1e30", "optimizer.clip=1e30", "perceptual.pictures=0"), ASSET, tmp_path)


def test_what_is_no_vae_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a diffusers folder with a VAE, or a file"):
        load_vae(tmp_path)
    with pytest.raises(ValueError, match=r"optimizer.offload_blocks: of a decoder only 0"):
        DecoderConfig(1, 1, 32, optimizer=type(config().optimizer)(offload_blocks=2))


def test_muon_takes_the_kernels_between_the_ends() -> None:
    decoder = load_image_vae(ASSET).decoder
    names = {id(parameter): name for name, parameter in decoder.named_parameters()}
    rest, matrices = make_optimizer(decoder, type(config().optimizer)(kind="muon")).parts
    taken = {names[id(p)] for group in matrices.param_groups for p in group["params"]}
    left = {names[id(p)] for group in rest.param_groups for p in group["params"]}
    assert {"mid_block.resnets.0.conv1.weight", "up_blocks.0.upsamplers.0.resample.1.weight"} <= taken
    assert {"conv_in.weight", "conv_out.weight", "mid_block.resnets.0.norm1.gamma"} <= left
    assert not taken & left
    assert taken | left == set(names.values())


def test_a_comparison_is_by_hand() -> None:
    vae = load_image_vae(ASSET)
    picture = np.full((64, 64, 3), 128, np.uint8)
    found = compare(vae, {"pages": [picture, picture], "photographs": []})
    assert list(found) == ["pages"]
    assert found["pages"]["count"] == 2
    assert found["pages"]["psnr"] > 35


def test_the_command_asks_for_the_vae_whose_decoder_is_to_be_trained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"decoder\.yaml: trains the decoder of a released VAE; name it: --init VAE"):
        main(["vae", "configs/train/decoder.yaml", str(tmp_path)])
    with pytest.raises(UserError, match="unknown field 'stepps'"):
        main(["vae", "configs/train/vae.yaml", str(tmp_path), "--set", "stepps=1"])
