"""``python -m trainer vae CONFIG OUT --init VAE``: train the decoder of a released VAE, its encoder frozen.

    pages, photographs ──frozen encoder: posterior mean──> decoder ──> reconstruction + perceptual loss, no GAN
                                                              └─> checkpoints/, metrics.jsonl ─> vae/, vae.json

Optimizer, averaged weights, checkpoints, writers and the way to end are those of ``fit``. What step t trains on depends on
(config, t) alone, so a killed training goes on as if it had not been.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from configs import RunFailed, UserError
from configs.files import replace_text
from model.files import iterate_tensors
from model.vae import ImageVAE
from model.vae_weights import load_image_vae, load_vae_folder, save_image_vae, save_vae_folder
from pipeline.annotators.model_folder import fingerprint
from trainer.evaluate.drawing.draw import reconstruct
from trainer.evaluate.scores.pictures import psnr, ssim
from trainer.optim.ema import make_average
from trainer.optim.optimizer import make_optimizer
from trainer.optim.schedule import rate
from trainer.parallel.world import World, alone
from trainer.setup import pick_device, product_dtype_of
from trainer.state.checkpoint import Checkpoints
from trainer.state.held import held
from trainer.state.kept_config import keep_config
from trainer.state.signals import StopRequest
from trainer.steps import run_steps
from trainer.vae.decoder_config import DecoderConfig
from trainer.vae.decoder_pictures import DecoderPictures, held_out
from trainer.vae.perceptual import Perceptual, balanced

_FREE = {"checkpoint", "monitor", "device", "threads", "held_out"}
"""Fields that a resumed training may change."""


def train_decoder(config: DecoderConfig, init: Path, out: Path) -> dict[str, Any]:
    """Train into ``out`` from the VAE at ``init`` and return what stands in ``out/vae.json``; goes on where an earlier
    call stopped.

    ``init``: a diffusers VAE folder, a pipeline folder, or one file of ``python -m trainer vae``.
    Raises UserError before any work, RunFailed where a signal or a number that is not finite ends it.
    """
    device = pick_device(config.device)
    load_vae(init)  # a wrong one is told before anything is rendered
    with held(out, False):
        keep_config(config, {"init": fingerprint(init)}, out, _FREE)
        if config.threads:
            torch.set_num_threads(config.threads)
        training = _Training(config, init, out, alone(device))
        with StopRequest() as stop:
            training.run(stop)
            stop.release()
        return training.finish()


def load_vae(path: Path) -> ImageVAE:
    """In fp32. Raises UserError for what is no VAE."""
    if path.is_file():
        return load_image_vae(path)
    folders = [path, path / "vae"]
    if not any((folder / "config.json").is_file() for folder in folders):
        raise UserError(f"--init {path}: a diffusers folder with a VAE, or a file of `trainer vae`, is expected")
    return load_vae_folder(path).float()


class _Training:
    def __init__(self, config: DecoderConfig, init: Path, out: Path, world: World) -> None:
        self.config, self.init, self.out, self.world = config, init, out, world
        self.vae = load_vae(init).to(world.device)
        for part in (self.vae.encoder, self.vae.quant_conv):
            part.requires_grad_(False)
        self.perceptual = Perceptual(config.perceptual).to(world.device) if config.perceptual.pictures else None
        self.optimizer = make_optimizer(self.vae, config.optimizer, config.seed)
        self.average = make_average(self.vae, config.optimizer.ema, config.optimizer.ema_device)
        # A decoder stands where a transformer does elsewhere: what is saved goes by the names of parameters alone.
        parts: Any = (world, cast(Any, self.vae), self.average, self.optimizer, config.checkpoint.keep, {})
        self.checkpoints = Checkpoints(out, init, *parts)
        self.done = self.checkpoints.restore()
        self.products = product_dtype_of(config.precision, world.device, world.tell)
        self.trained = [p for p in self.vae.parameters() if p.requires_grad]

    def run(self, stop: StopRequest) -> None:
        config, shared = self.config, (self.world, stop)
        if self.done < config.steps:  # what is trained on is rendered only where it is needed
            pictures = DecoderPictures(config)
            run = (self.done, config.steps, self.out, self.checkpoints, config.checkpoint, config.monitor, *shared)
            run_steps(lambda step: self.step(step, pictures.batch(step)), *run)

    def step(self, step: int, images: Tensor) -> dict[str, Any]:
        """One step on uint8 (B, 3, H, W): its line of metrics. Raises RunFailed for a gradient that is not finite."""
        config = self.config
        lr = rate(step, config.steps, config.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        first, last = config.perceptual.share
        share = first + (last - first) * step / max(1, config.steps - 1)
        reconstruction, perceptual = self._losses(images.to(self.world.device))
        self.optimizer.zero_grad()
        loss = reconstruction if perceptual is None else balanced(reconstruction, perceptual, share)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trained, config.optimizer.clip)
        if not norm.isfinite():
            raise RunFailed(
                f"step {step}: the gradient is not finite; the last checkpoint is good: lower optimizer.lr, or take fp32"
            )
        self.optimizer.step()
        self.average.update(self.vae, step)
        told = {
            "step": step,
            "phase": "decoder",
            "loss": loss.item(),
            "reconstruction": reconstruction.item(),
            "lr": lr,
            "share": share,
        }
        more = {} if perceptual is None else {"perceptual": perceptual.item()}
        return {**told, **more, "grad_norm": norm.item()}

    def _losses(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Reconstruction (mean of absolute and weighted squared errors of pixels in -1..1) and perceptual loss."""
        target = images.float() / 127.5 - 1.0
        with torch.autocast(self.world.device.type, self.products, enabled=self.products is not None):
            with torch.no_grad():
                mean, _ = self.vae.posterior(target)
            made = self.vae.decode_raw(mean).float()
            error = made - target
            count = self.config.perceptual.pictures
            seen = self.perceptual(made[:count], target[:count]).float().mean() if self.perceptual is not None else None
        return error.abs().mean() + self.config.squared * error.square().mean(), seen

    def finish(self) -> dict[str, Any]:
        """Write the averaged decoder and what it gained."""
        pictures = held_out(self.config)
        before = compare(load_vae(self.init).to(self.world.device), pictures)
        with self.average.applied(self.vae):
            after = compare(self.vae, pictures)
            path = _save(self.vae, self.init, self.out)
        report = {"vae": str(path), "steps": self.config.steps, "before": before, "after": after}
        replace_text(self.out / "vae.json", json.dumps(report, indent=1) + "\n", durable=False)
        for kind, found in after.items():
            was = before[kind]
            gain = f"PSNR {was['psnr']:.2f} -> {found['psnr']:.2f} dB, SSIM {was['ssim']:.4f} -> {found['ssim']:.4f}"
            print(f"{kind}: {gain} on {found['count']} held-out ones")
        return report


def compare(vae: ImageVAE, pictures: Mapping[str, Sequence[np.ndarray]]) -> dict[str, dict[str, float]]:
    """Mean PSNR (dB) and SSIM of reconstructions through the posterior's mean, kind by kind."""
    found = {}
    for kind, group in pictures.items():
        pairs = [(reconstruct(vae, picture), picture) for picture in group]
        if pairs:
            means = {
                name: float(np.mean([by(*pair) for pair in pairs])) for name, by in (("psnr", psnr), ("ssim", ssim))
            }
            found[kind] = {"count": len(pairs), **means}
    return found


def _save(vae: ImageVAE, init: Path, out: Path) -> Path:
    """In the form of ``init``: a diffusers folder with its other temporal slices, or one file."""
    if init.is_file():
        save_image_vae(vae, out / init.name, torch.float16)
        return out / init.name
    folder = init if (init / "config.json").is_file() else init / "vae"
    save_vae_folder(vae, out / "vae", dict(iterate_tensors(folder)))
    return out / "vae"
