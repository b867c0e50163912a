"""The 2-D VAE against AutoencoderKLQwenImage, its files in both forms, and that it can be trained."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from configs import UserError
from model.vae import ImageVAE, VAEConfig
from model.vae_weights import load_image_vae, load_vae_folder, save_image_vae, save_vae_folder, to_3d, to_diffusers

MEAN, STD = [0.1 * i for i in range(16)], [1 + 0.1 * i for i in range(16)]


@cache
def diffusers_vae() -> Any:
    from diffusers import AutoencoderKLQwenImage

    torch.manual_seed(0)
    return AutoencoderKLQwenImage(base_dim=8, num_res_blocks=1, latents_mean=MEAN, latents_std=STD).eval()


def tiny() -> ImageVAE:
    torch.manual_seed(0)
    return ImageVAE(VAEConfig(base_dim=8, num_res_blocks=1)).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    diffusers_vae().save_pretrained(tmp_path / "vae")
    return tmp_path


@torch.no_grad()
def test_encode_and_decode_equal_diffusers(folder: Path) -> None:
    theirs, ours = diffusers_vae(), load_vae_folder(folder)
    images = torch.rand(2, 3, 48, 80) * 2 - 1
    posterior = theirs.encode(images[:, :, None]).latent_dist
    mean, logvar = ours.posterior(images)
    assert (mean - posterior.mean[:, :, 0]).abs().max() < 2e-6
    assert (logvar - posterior.logvar[:, :, 0]).abs().max() < 2e-6
    expected = (posterior.mode()[:, :, 0] - torch.tensor(MEAN).view(16, 1, 1)) / torch.tensor(STD).view(16, 1, 1)
    assert (ours.encode(images) - expected).abs().max() < 2e-6
    z = torch.randn(2, 16, 6, 10) * 3
    assert (ours.decode_raw(z).clamp(-1, 1) - theirs.decode(z[:, :, None]).sample[:, :, 0]).abs().max() < 2e-5
    assert torch.equal(
        ours.decode(ours.normalize(z)), ours.decode_raw(ours.denormalize(ours.normalize(z))).clamp(-1, 1)
    )


@torch.no_grad()
def test_bytes_and_floats_encode_alike_and_a_draw_follows_the_posterior(folder: Path) -> None:
    vae = load_vae_folder(folder)
    pixels = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
    assert torch.allclose(vae.encode(pixels), vae.encode(pixels.float() / 127.5 - 1), atol=1e-6)
    mean, logvar = vae.posterior(pixels)
    drawn = vae.encode(pixels, generator=torch.Generator().manual_seed(3))
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(drawn, vae.normalize(mean + (0.5 * logvar).exp() * noise))


def test_the_three_dimensional_form_comes_back_whole(folder: Path, tmp_path: Path) -> None:
    vae, theirs = load_vae_folder(folder / "vae"), diffusers_vae()
    full = to_3d(vae, theirs.state_dict())
    assert list(full) == list(theirs.state_dict())
    assert all(torch.equal(full[name], tensor) for name, tensor in theirs.state_dict().items())
    save_vae_folder(vae, tmp_path / "again", base=theirs.state_dict())
    again = type(theirs).from_pretrained(tmp_path / "again")
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in theirs.state_dict().items())


@torch.no_grad()
def test_without_a_base_the_three_dimensional_form_is_exact_for_images(folder: Path) -> None:
    vae = load_vae_folder(folder)
    flat = to_diffusers(vae)
    z = torch.randn(1, 16, 4, 4)
    assert (flat.decode(z[:, :, None]).sample[:, :, 0] - vae.decode_raw(z).clamp(-1, 1)).abs().max() < 2e-5


def test_small_file_keeps_weights_and_config(folder: Path, tmp_path: Path) -> None:
    vae = load_vae_folder(folder)
    save_image_vae(vae, tmp_path / "v.safetensors")
    (tmp_path / "any").touch()
    assert (tmp_path / "v.safetensors").stat().st_mode == (tmp_path / "any").stat().st_mode
    again = load_image_vae(tmp_path / "v.safetensors")
    assert again.config == vae.config
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in vae.state_dict().items())
    save_image_vae(vae, tmp_path / "h.safetensors", torch.float16)
    half = load_image_vae(tmp_path / "h.safetensors")
    assert all(p.dtype == torch.float32 for p in half.parameters())
    with pytest.raises(UserError, match="nothing"):
        load_image_vae(tmp_path / "nothing.safetensors")
    weights = next((folder / "vae").glob("*.safetensors"))
    with pytest.raises(UserError, match="format"):
        load_image_vae(weights)


def test_the_tiny_shape_fits_four_megabytes(tmp_path: Path) -> None:
    save_image_vae(ImageVAE(VAEConfig(base_dim=16, num_res_blocks=1)), tmp_path / "v.safetensors")
    assert (tmp_path / "v.safetensors").stat().st_size <= 4 * 2**20


def test_every_parameter_receives_a_gradient() -> None:
    vae = ImageVAE(VAEConfig(base_dim=8, num_res_blocks=1))
    mean, logvar = vae.posterior(torch.rand(1, 3, 32, 32) * 2 - 1)
    (vae.decode_raw(mean + (0.5 * logvar).exp()).square().mean() + logvar.mean()).backward()
    assert [name for name, p in vae.named_parameters() if p.grad is None or not p.grad.any()] == []


@torch.no_grad()
def test_decoding_for_training_is_not_clamped() -> None:
    vae = ImageVAE(VAEConfig(base_dim=8, num_res_blocks=1))
    vae.decoder.conv_out.bias.fill_(3.0)
    latents = torch.zeros(1, 16, 2, 2)
    assert vae.decode(latents).max() == 1
    assert vae.decode(latents, clamp=False).max() > 1


def test_released_parameter_counts_of_the_image_path() -> None:
    with torch.device("meta"):
        vae = ImageVAE(VAEConfig())
    counts = {"encoder": 0, "decoder": 0}
    for name, parameter in vae.named_parameters():
        counts["encoder" if name.startswith(("encoder.", "quant_conv.")) else "decoder"] += parameter.numel()
    assert counts == {"encoder": 19_307_648, "decoder": 25_291_955}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"z_dim": 4}, "latents_mean"),
        ({"attn_scales": (0.5,)}, "attn_scales"),
        ({"latents_std": (0.0,) * 16}, "positive"),
        ({"base_dim": 0}, "base_dim is 0"),
        ({"num_res_blocks": 0}, "num_res_blocks is 0"),
        ({"dim_mult": (1, 0, 4, 4)}, "dim_mult"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"input_channels": 4}, "input_channels is 4"),
    ],
)
def test_impossible_configs_name_the_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        VAEConfig(**fields)


@pytest.mark.parametrize(
    ("images", "named"),
    [
        (torch.zeros(1, 3, 16, 20), r"20 x 16: .* multiples of 8"),
        (torch.zeros(1, 3, 0, 16), r"16 x 0: .* multiples of 8"),
        (torch.zeros(1, 16, 16, 3), r"\[1, 16, 16, 3\]: \(B, 3, "),
        (torch.zeros(3, 16, 16), r"\[3, 16, 16\]: \(B, 3, "),
        (torch.zeros(()), r"\[\]: \(B, 3, "),
        (torch.zeros(1, 3, 16, 16, dtype=torch.int64), r"int64: uint8 \(0\.\.255\) or floating point"),
    ],
)
def test_impossible_images_are_named(images: torch.Tensor, named: str) -> None:
    with pytest.raises(ValueError, match=f"^images of .*{named}"):
        tiny().encode(images)


@pytest.mark.parametrize(
    ("latents", "named"),
    [
        (torch.zeros(1, 4, 2, 2), r"\[1, 4, 2, 2\]: \(B, 16, "),
        (torch.zeros(16, 2, 2), r"\[16, 2, 2\]: \(B, 16, "),
        (torch.zeros(1, 16, 1, 2, 2), r"\[1, 16, 1, 2, 2\]: \(B, 16, "),
        (torch.zeros(1, 16, 0, 2), "2 x 0: .* positive"),
        (torch.zeros(1, 16, 2, 2, dtype=torch.int64), "int64"),
    ],
)
def test_impossible_latents_are_named(latents: torch.Tensor, named: str) -> None:
    for decode in (tiny().decode, tiny().decode_raw):
        with pytest.raises(ValueError, match=f"^latents of .*{named}"):
            decode(latents)


def test_a_tile_smaller_than_a_latent_is_refused() -> None:
    with pytest.raises(ValueError, match="tile is 7 px; at least 8"):
        tiny().tile = 7


def test_working_in_place_changes_no_number_and_no_argument() -> None:
    vae = tiny()
    images, z = torch.rand(1, 3, 16, 24) * 2 - 1, torch.randn(1, 16, 2, 3)
    images_before, z_before = images.clone(), z.clone()
    with_gradient = vae.posterior(images)[0], vae.decode_raw(z)
    with torch.no_grad():
        without = vae.posterior(images)[0], vae.decode_raw(z)
    assert all(torch.equal(a, b) for a, b in zip(with_gradient, without, strict=True))
    assert torch.equal(images, images_before)
    assert torch.equal(z, z_before)
