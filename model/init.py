"""A new model with random weights, as a pipeline folder: ``python -m model init CONFIG OUT --seed 0``."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from configs import UserError
from model.checkpoint import save_schedule, save_transformer, write_index
from model.config import ModelConfig
from model.mmdit import MMDiT, MMDiTConfig
from model.text_encoder import new_text_encoder
from model.tokenizer import write_tokenizer
from model.vae import ImageVAE, VAEConfig
from model.vae_weights import load_image_vae, save_vae_folder


def new_transformer(config: MMDiTConfig, seed: int) -> MMDiT:
    """PyTorch's default initialisation, then zeros where the network should start as the identity."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MMDiT(config)
    zero_modulation(model)
    return model


def zero_modulation(model: MMDiT) -> None:
    """Zero every modulation and the output projection (adaLN-zero, as DiT trains from scratch; the report is silent)."""
    for block in model.transformer_blocks:
        for mod in (block.img_mod, block.txt_mod):
            _zero(mod[1])
    _zero(model.norm_out.linear)
    _zero(model.proj_out)


def new_vae(config: VAEConfig, seed: int) -> ImageVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ImageVAE(config)


def init_folder(config: ModelConfig, out: str | Path, seed: int = 0, vae_file: str | None = None) -> None:
    """Write the folder. ``vae_file`` stands in for ``config.vae.weights``. Same config and seed: same bytes."""
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out}: exists and is not empty; name a new folder")
    vae = _vae(config, seed, vae_file)  # first: it may be missing, and nothing is written then
    dtype = getattr(torch, config.dtype)
    transformer = new_transformer(config.transformer, seed).to(dtype)
    save_transformer(transformer.state_dict(), config.transformer, out / "transformer")
    save_vae_folder(vae.to(dtype), out / "vae")
    new_text_encoder(config.text_encoder, seed).to(dtype).save_pretrained(out / "text_encoder")
    write_tokenizer(out / "tokenizer")
    save_schedule(config.scheduler, out)
    write_index(out)


def _vae(config: ModelConfig, seed: int, vae_file: str | None) -> ImageVAE:
    path = vae_file or config.vae.weights
    if path is None:
        return new_vae(config.vae.shape, seed)
    if not Path(path).is_file():
        field = "--vae" if vae_file else "vae.weights"
        raise UserError(f"{field}: {path} does not exist; train one, or give vae.weights=null for random weights")
    vae = load_image_vae(path)
    channels = vae.config.z_dim * config.transformer.patch_size**2
    if channels != config.transformer.in_channels:
        raise UserError(f"{path}: has z_dim {vae.config.z_dim}; transformer.in_channels must be {channels}")
    return vae


def _zero(linear: nn.Linear) -> None:
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
