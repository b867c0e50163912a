"""A new model with random weights, as a pipeline folder: ``python -m model init CONFIG OUT --seed 0``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import nn

from configs import UserError
from configs.files import filled
from model.checkpoint import save_schedule, save_transformer, write_index
from model.config import ModelConfig
from model.mmdit import MMDiT, MMDiTConfig
from model.references import write_processor
from model.text_encoder import new_text_encoder, no_progress_bars
from model.tokenizer import write_tokenizer
from model.vae import ImageVAE, VAEConfig
from model.vae_weights import load_image_vae, save_vae_folder


def new_transformer(config: MMDiTConfig, seed: int) -> MMDiT:
    """PyTorch's default initialization, then zeros where the network should start as the identity."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MMDiT(config)
    _zero_modulation(model)
    return model


def _zero_modulation(model: MMDiT) -> None:
    """Zero every modulation and the output projection (adaLN-zero, as DiT trains from scratch; the report is silent)."""
    names = ("img_mod.1", "txt_mod.1", "norm_out.linear", "proj_out")
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name.endswith(names):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)


def new_vae(config: VAEConfig, seed: int) -> ImageVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ImageVAE(config)


def init_folder(config: ModelConfig, out: str | Path, seed: int = 0, vae: str | None = None) -> None:
    """Write the folder. ``vae``: a file that stands in for ``config.vae.weights``. Same config and seed: same bytes."""
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out}: exists and is not empty; name a new folder")
    autoencoder = _vae(config, seed, vae)  # comes first: nothing is written where its file is missing
    with filled(out):
        _write_parts(config, out, seed, autoencoder)


def _write_parts(config: ModelConfig, out: Path, seed: int, autoencoder: ImageVAE) -> None:
    dtype = getattr(torch, config.dtype)
    transformer = new_transformer(config.transformer, seed).to(dtype)
    save_transformer(transformer.state_dict(), config.transformer, out / "transformer")
    save_vae_folder(autoencoder.to(dtype), out / "vae")
    encoder = new_text_encoder(config.text_encoder, seed).to(dtype)
    with no_progress_bars():
        encoder.save_pretrained(out / "text_encoder")
    write_tokenizer(out / "tokenizer", config.quoted)
    if config.pipeline != "QwenImagePipeline":
        write_processor(out / "processor", out / "tokenizer", config.text_encoder.vision)
    save_schedule(config.scheduler, out)
    write_index(out, config.pipeline)


def vae_file(config: ModelConfig, instead: str | None = None) -> Path | None:
    """The VAE's weights (``instead`` of the config's), or None for random ones. Raises UserError where they are missing."""
    name = instead or config.vae.weights
    if name is None:
        return None
    beside = Path(__file__).parents[1] / name
    path = beside if not instead and not Path(name).is_file() else Path(name)
    if not path.is_file():
        field = "--vae" if instead else "vae.weights"
        raise UserError(f"{field}: {name} does not exist; train one, or give vae.weights=null for random weights")
    return path


def _vae(config: ModelConfig, seed: int, instead: str | None) -> ImageVAE:
    path = vae_file(config, instead)
    if path is None:
        return new_vae(config.vae.shape, seed)
    vae = load_image_vae(path)
    mean, std = vae.config.latents_mean, vae.config.latents_std  # measured when it was trained
    if dataclasses.replace(config.vae.shape, latents_mean=mean, latents_std=std) != vae.config:
        raise UserError(f"{path}: was made with another shape than vae.shape: {vae.config}")
    return vae
