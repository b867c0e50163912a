"""Train the tiny VAE from scratch: pictures of glyphs and crops of photographs in, one small file out.

    recipe ──render──┐
                     ├─> pool of 64 px pictures ──crop, recolour──> batch ─> posterior ─> draw ─> decode
    photographs ─────┘                                                 └──────── L1 + MSE + small KL ──┘

Everything runs in the exact two-dimensional form (``model/vae.py``). Random numbers come from (seed, step).
The latents' mean and deviation are measured over the pool at the end and stand in the file's config.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from pathlib import Path

import torch
from torch import Tensor

import configs
from configs.files import replace_text
from model.precision import WIDER, multiplies_bf16
from model.vae import ImageVAE, VAEConfig
from model.vae_weights import save_image_vae
from trainer.optim.muon import Muon
from trainer.optim.optimizer import OptimizerGroup, is_kernel_matrix
from trainer.vae.config import Rates, Shape, VAETrainConfig
from trainer.vae.pictures import draw_batch, picture_pool

FILE = "tiny-vae.safetensors"


def train_vae(config: VAETrainConfig, out: Path) -> Path:
    """Train and write ``out/tiny-vae.safetensors`` and ``out/vae.json`` (figures). Returns the file's path."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    if config.precision == "bf16" and not multiplies_bf16("cpu"):
        print(WIDER, flush=True)
    pool = torch.from_numpy(picture_pool(config)).permute(0, 3, 1, 2)
    held_out, pool = pool[: len(pool) // 20], pool[len(pool) // 20 :]
    vae = new_vae(config.shape)
    seconds = _optimize(vae, pool, config)
    vae = with_statistics(vae, pool[:4096])
    path = out / FILE
    save_image_vae(vae, path, torch.float16)
    figures = {"psnr_held_out": round(psnr(vae, held_out), 2), "seconds": round(seconds)}
    replace_text(
        out / "vae.json", json.dumps({**figures, "config": configs.to_plain(config)}, indent=1) + "\n", durable=False
    )
    print(f"vae: PSNR {figures['psnr_held_out']:.2f} dB on {len(held_out)} held-out pictures; {path}")
    return path


def new_vae(shape: Shape) -> ImageVAE:
    """A random VAE that starts with nearly noiseless latents: with unit noise the first hundreds of steps learn nothing."""
    vae = ImageVAE(VAEConfig(**dataclasses.asdict(shape), latents_mean=(0.0,) * 16, latents_std=(1.0,) * 16))
    with torch.no_grad():
        _, logvar_rows = vae.quant_conv.weight.chunk(2)
        logvar_rows.zero_()
        bias = vae.quant_conv.bias
        assert bias is not None
        bias.chunk(2)[1].fill_(-4.0)
    return vae


def _optimize(vae: ImageVAE, pool: Tensor, config: VAETrainConfig) -> float:
    """Train ``vae`` in place through all stages and leave the averaged weights in it. Returns the seconds it took."""
    optimizer = make_optimizer(vae, config.lr.peak)
    average = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    total, start = sum(stage.steps for stage in config.stages), time.monotonic()
    schedule = [stage for stage in config.stages for _ in range(stage.steps)]
    for step, stage in enumerate(schedule):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, total, config.lr)
        l1 = _step(vae, draw_batch(pool, stage, config.seed, step), optimizer, config, step)
        decay = min(config.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, tensor in vae.state_dict().items():
                average[name].lerp_(tensor, 1 - decay)
        if (step + 1) % 50 == 0 or step + 1 == total:
            print(f"vae: step {step + 1}/{total}  L1 {l1:.4f}  {time.monotonic() - start:.0f} s", flush=True)
    vae.load_state_dict(average)
    return time.monotonic() - start


def _step(vae: ImageVAE, images: Tensor, optimizer: OptimizerGroup, config: VAETrainConfig, step: int) -> float:
    target = images.float() / 127.5 - 1.0
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + 500_000_000 + step)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16" and multiplies_bf16("cpu")):
        mean, logvar = vae.posterior(target)
        mean, logvar = mean.float(), logvar.float()
        z = mean + (0.5 * logvar).exp() * torch.randn(mean.shape, generator=generator)
        error = vae.decode_raw(z).float() - target
    l1 = error.abs().mean()
    kl = 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar).mean()
    optimizer.zero_grad()
    (l1 + error.square().mean() + config.kl * kl).backward()
    torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
    optimizer.step()
    return l1.item()


def make_optimizer(vae: ImageVAE, lr: float) -> OptimizerGroup:
    """Muon for the kernels that are matrices of some size, AdamW for vectors, the first and the last convolution."""
    ends = ("encoder.conv_in.", "decoder.conv_out.")
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in vae.named_parameters():
        is_matrix = is_kernel_matrix(parameter) and not name.startswith(ends)
        (matrices if is_matrix else others).append(parameter)
    return OptimizerGroup(Muon(matrices, lr), torch.optim.AdamW(others, lr, betas=(0.9, 0.95), weight_decay=0.0))


def rate(step: int, total: int, lr: Rates) -> float:
    """The learning rate at ``step`` of ``total``."""
    return lr.peak * min(1.0, (step + 1) / max(1, lr.warm_up), (1 - step / total) / lr.decay if lr.decay else 1.0)


def with_statistics(vae: ImageVAE, images: Tensor) -> ImageVAE:
    """The same VAE with the latents' mean and deviation per channel, measured over uint8 ``images``, in its config."""
    with torch.inference_mode():
        z = torch.cat([vae.posterior(part)[0] for part in images.split(64)])
    mean, std = (tuple(round(v, 4) for v in f.tolist()) for f in (z.mean((0, 2, 3)), z.std((0, 2, 3))))
    measured = ImageVAE(dataclasses.replace(vae.config, latents_mean=mean, latents_std=std))
    measured.load_state_dict(vae.state_dict())
    return measured.eval()


def psnr(vae: ImageVAE, images: Tensor) -> float:
    """Mean over pictures of the reconstruction's PSNR in dB, from the posterior's mean; ``images`` uint8 (N, 3, H, W)."""
    values = []
    with torch.inference_mode():
        for part in images.split(64):
            error = (vae.decode(vae.encode(part)) + 1.0) * 127.5 - part.float()
            values += (error.square().mean((1, 2, 3)) / 255**2).clamp_min(1e-10).tolist()
    return sum(-10 * math.log10(v) for v in values) / len(values)
