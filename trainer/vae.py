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
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import configs
from configs import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from model.vae import ImageVAE
    from trainer.optim.optimizer import Together

FILE = "tiny-vae.safetensors"


@dataclass(frozen=True)
class Shape:
    """The sizes of the network; the rest is as released."""

    base_dim: int
    dim_mult: tuple[int, int, int, int]
    num_res_blocks: int


@dataclass(frozen=True)
class PoolConfig:
    """The pictures: ``glyphs`` renderings of a recipe, ``photographs`` crops; ``size`` px square."""

    recipe: str
    glyphs: int
    photographs: int
    size: int = 64

    def __post_init__(self) -> None:
        if self.glyphs < 0 or self.photographs < 0 or self.glyphs + self.photographs < 20:
            raise ValueError(
                f"glyphs and photographs must be at least 0, together at least 20, found {self.glyphs}, {self.photographs}"
            )
        if self.size < 8 or self.size % 8:
            raise ValueError(f"size must be a multiple of 8, found {self.size}")


@dataclass(frozen=True)
class Stage:
    """``steps`` of ``batch`` pictures of ``size`` px; above the pool's size they are tiled from several."""

    steps: int
    size: int
    batch: int

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.size < 8 or self.size % 8:
            found = f"{self.steps}, {self.batch}, {self.size}"
            raise ValueError(f"steps and batch must be positive and size a multiple of 8, found {found}")


@dataclass(frozen=True)
class Rates:
    """``peak`` learning rate; linear warm-up over ``warm_up`` steps, linear descent over the last ``decay`` of all."""

    peak: float
    warm_up: int
    decay: float

    def __post_init__(self) -> None:
        if self.peak <= 0 or self.warm_up < 0 or not 0 <= self.decay <= 1:
            found = f"{self.peak}, {self.warm_up}, {self.decay}"
            raise ValueError(f"peak must be above 0, warm_up at least 0, decay within 0..1, found {found}")


@dataclass(frozen=True)
class VAETrainConfig:
    """``configs/train/vae.yaml``."""

    shape: Shape
    pool: PoolConfig
    stages: tuple[Stage, ...]
    lr: Rates
    seed: int = 0
    kl: float = 5e-4  # on the mean over latent numbers, beside means over pixels
    ema: float = 0.998
    precision: Literal["fp32", "bf16"] = "bf16"
    threads: int = 1  # of torch; part of what makes the result the same bytes
    photographs: tuple[tuple[str, str], ...] = field(default=(("skimage", "data"), ("sklearn", "datasets/images")))

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError("stages must hold at least one entry")
        if self.kl < 0 or not 0 <= self.ema < 1 or self.threads < 1:
            found = f"{self.kl}, {self.ema}, {self.threads}"
            raise ValueError(f"kl must be at least 0, ema within 0..1, threads at least 1, found {found}")


def train_vae(config: VAETrainConfig, out: Path) -> Path:
    """Train and write ``out/tiny-vae.safetensors`` and ``out/vae.json`` (figures). Returns the file's path."""
    import torch

    from model.vae_weights import save_image_vae

    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    pool = torch.from_numpy(picture_pool(config)).permute(0, 3, 1, 2)
    held_out, pool = pool[: len(pool) // 20], pool[len(pool) // 20 :]
    vae = new_vae(config.shape)
    seconds = _optimise(vae, pool, config)
    vae = with_statistics(vae, pool[:4096])
    path = out / FILE
    save_image_vae(vae, path, torch.float16)
    figures = {"psnr_held_out": round(psnr(vae, held_out), 2), "seconds": round(seconds)}
    (out / "vae.json").write_text(json.dumps({**figures, "config": configs.to_plain(config)}, indent=1) + "\n")
    print(f"vae: PSNR {figures['psnr_held_out']:.2f} dB on {len(held_out)} held-out pictures; {path}")
    return path


def new_vae(shape: Shape) -> ImageVAE:
    """A random VAE that starts with nearly noiseless latents: with unit noise the first hundreds of steps learn nothing."""
    import torch

    from model.vae import ImageVAE, VAEConfig

    vae = ImageVAE(VAEConfig(**dataclasses.asdict(shape), latents_mean=(0.0,) * 16, latents_std=(1.0,) * 16))
    with torch.no_grad():
        _, logvar_rows = vae.quant_conv.weight.chunk(2)
        logvar_rows.zero_()
        bias = vae.quant_conv.bias
        assert bias is not None
        bias.chunk(2)[1].fill_(-4.0)
    return vae


def picture_pool(config: VAETrainConfig) -> np.ndarray:
    """(N, size, size, 3) uint8, shuffled: renderings and crops of photographs at random scales."""
    import numpy as np

    from synth import Recipe

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
    import importlib.util

    from pipeline.decode import DecodeError, Limits, decode

    pictures = []
    for package, folder in packages:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise UserError(f"photographs: the package '{package}' is not installed")
        for path in sorted((Path(spec.submodule_search_locations[0]) / folder).glob("*")):
            try:
                picture = decode(path.read_bytes(), Limits())
            except (DecodeError, OSError):
                continue  # these folders hold other files too
            if min(picture.shape[:2]) >= size:
                pictures.append(picture)
    return pictures


def random_crop(picture: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A square of 1 to 4 times ``size``, reduced to ``size``; half of them mirrored."""
    import numpy as np
    from PIL import Image

    side = int(min(size * 4 ** rng.random(), *picture.shape[:2]))
    y, x = (int(rng.integers(n - side + 1)) for n in picture.shape[:2])
    crop = Image.fromarray(picture[y : y + side, x : x + side]).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(crop)[:, :: 1 if rng.random() < 0.5 else -1]


def draw_batch(pool: Tensor, stage: Stage, seed: int, step: int) -> Tensor:
    """(batch, 3, size, size) uint8 of ``step``: pool pictures, tiled or cropped to the stage's size, colours exchanged."""
    import torch

    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=generator)

    n = -(-stage.size // pool.shape[-1])
    tiles = pool[draw(len(pool), stage.batch * n * n)].unflatten(0, (stage.batch, n, n))
    images = tiles.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
    y, x = draw(images.shape[-1] - stage.size + 1, 2).tolist()
    images = images[:, torch.randperm(3, generator=generator), y : y + stage.size, x : x + stage.size]
    return torch.where(draw(2, stage.batch, 1, 1, 1).bool(), images, 255 - images)


def _optimise(vae: ImageVAE, pool: Tensor, config: VAETrainConfig) -> float:
    """Train ``vae`` in place through all stages and leave the averaged weights in it. Returns the seconds it took."""
    import torch

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


def _step(vae: ImageVAE, images: Tensor, optimizer: Together, config: VAETrainConfig, step: int) -> float:
    import torch

    target = images.float() / 127.5 - 1.0
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + 500_000_000 + step)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
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


def make_optimizer(vae: ImageVAE, lr: float) -> Together:
    """Muon for the kernels that are matrices of some size, AdamW for vectors, the first and the last convolution."""
    import torch

    from trainer.optim.muon import Muon
    from trainer.optim.optimizer import Together

    ends = ("encoder.conv_in.", "decoder.conv_out.")
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in vae.named_parameters():
        is_matrix = parameter.ndim == 4 and min(parameter.shape[:2]) >= 16 and not name.startswith(ends)
        (matrices if is_matrix else others).append(parameter)
    return Together(Muon(matrices, lr), torch.optim.AdamW(others, lr, betas=(0.9, 0.95), weight_decay=0.0))


def rate(step: int, total: int, lr: Rates) -> float:
    """The learning rate at ``step`` of ``total``."""
    return lr.peak * min(1.0, (step + 1) / max(1, lr.warm_up), (1 - step / total) / lr.decay if lr.decay else 1.0)


def with_statistics(vae: ImageVAE, images: Tensor) -> ImageVAE:
    """The same VAE with the latents' mean and deviation per channel, measured over uint8 ``images``, in its config."""
    import torch

    from model.vae import ImageVAE

    with torch.inference_mode():
        z = torch.cat([vae.posterior(part)[0] for part in images.split(64)])
    mean, std = (tuple(round(v, 4) for v in f.tolist()) for f in (z.mean((0, 2, 3)), z.std((0, 2, 3))))
    measured = ImageVAE(dataclasses.replace(vae.config, latents_mean=mean, latents_std=std))
    measured.load_state_dict(vae.state_dict())
    return measured.eval()


def psnr(vae: ImageVAE, images: Tensor) -> float:
    """Mean over pictures of the reconstruction's PSNR in dB, from the posterior's mean; ``images`` uint8 (N, 3, H, W)."""
    import torch

    values = []
    with torch.inference_mode():
        for part in images.split(64):
            error = (vae.decode(vae.encode(part)) + 1.0) * 127.5 - part.float()
            values += (error.square().mean((1, 2, 3)) / 255**2).clamp_min(1e-10).tolist()
    return sum(-10 * math.log10(v) for v in values) / len(values)
