"""The whole model behind one class: ``QwenImage.load(folder).sample("...")``.

prompt, references --Conditioner--> text --------+
                                                  +--MMDiT, Euler steps--> latents --ImageVAE--> picture
        references --ImageVAE--> latents ---------+
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from numbers import Integral
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image, fromarray
from torch import Tensor

from configs import RunFailed, UserError
from model.checkpoint import check_folder, load_schedule, load_transformer, reference_style
from model.condition import Conditioner
from model.config import channel_misfit
from model.latents import patchify, tokens_of, unpatchify
from model.layout import Size
from model.lora_merge import LoraFile, merge_files
from model.mmdit import MMDiT
from model.precision import widen
from model.reference_sizes import VAE_AREA
from model.references import fitted, pixels
from model.sample import Request, draw_noise, sample_tokens
from model.schedule import QWEN_IMAGE, ScheduleConfig
from model.vae import ImageVAE
from model.vae_weights import load_vae_folder

_DEFAULT_SIDE = 1024  # px
DECODE_PIXELS = 2**20  # chosen: pixels decoded in one call

log = logging.getLogger(__name__)


class QwenImage:
    """Transformer, VAE, conditioner and schedule of one pipeline folder."""

    def __init__(
        self, transformer: MMDiT, vae: ImageVAE, conditioner: Conditioner, schedule: ScheduleConfig = QWEN_IMAGE
    ) -> None:
        self.transformer, self.vae, self.conditioner, self.schedule = transformer, vae, conditioner, schedule

    @classmethod
    def load(
        cls,
        folder: str | Path,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        weights: str | Path | None = None,
        loras: Sequence[LoraFile] = (),
        max_tokens: int = 512,
    ) -> QwenImage:
        """From a diffusers folder; ``dtype`` None keeps what is stored. UserError when something does not fit.

        ``weights``: a single file in place of the folder's transformer. ``loras``: are merged into it. ``max_tokens``: of a
        prompt; the released pipeline cuts at 512, and takes 1,024 on request. bfloat16 becomes float32 on a CPU without kernels for it, and a warning tells the memory.
        """
        folder = check_folder(folder)
        schedule = load_schedule(folder)
        vae = load_vae_folder(folder).to(device=device, dtype=dtype).eval()
        transformer = load_transformer(folder, dtype, device, weights).eval()
        merge_files(transformer, loras)
        conditioner = Conditioner.load(folder, dtype, device, max_tokens, style=reference_style(folder))
        widened = widen(device, vae, transformer, conditioner.encoder)
        if widened:
            log.warning("%s: %s", folder, widened)
        if conditioner.dim != transformer.config.joint_attention_dim:
            raise UserError(
                f"{folder}: the text encoder gives {conditioner.dim} channels, the transformer takes "
                f"{transformer.config.joint_attention_dim}"
            )
        misfit = channel_misfit(transformer.config, vae.config.z_dim)
        if misfit:
            raise UserError(f"{folder}/transformer: {misfit}")
        return cls(transformer, vae, conditioner, schedule)

    def sample(self, prompts: str | Sequence[str], *args: Any, **kwargs: Any) -> list[Image]:
        """One picture per prompt; arguments as in ``sample_tensor``."""
        return [fromarray(to_array(tensor)) for tensor in self.sample_tensor(prompts, *args, **kwargs)]

    @torch.no_grad()  # not inference mode: FSDP keeps what it gathers, and training could not write to it
    def sample_tensor(
        self,
        prompts: str | Sequence[str],
        height: int | Sequence[int] | None = None,
        width: int | Sequence[int] | None = None,
        steps: int = 50,
        cfg: float = 4.0,
        negative: str = " ",
        seed: int | Sequence[int] = 0,
        progress: Callable[[int], None] | None = None,
        references: Sequence[Image] | Sequence[Sequence[Image]] | None = None,
        reference_area: int = VAE_AREA,
        vision_area: int | None = None,
    ) -> list[Tensor]:
        """(3, H, W) fp32 tensors in 0..1, before any rounding.

        Sizes in pixels, multiples of 16, common or one per prompt; None: 1024 x 1024, or for edits about
        ``reference_area`` px in the last reference's aspect ratio. ``seed``: one per prompt, or a first
        one from which they count up. Guidance is off for ``cfg`` <= 1. ``references``: the pictures to
        edit, of the one prompt or a list for each; the VAE sees them at about ``reference_area`` px,
        the vision tower at ``vision_area`` (None: as released).
        Raises UserError for arguments that do not fit, RunFailed where a picture is not finite.
        """
        one = isinstance(prompts, str)
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        seeds = _each(seed, [0] * len(prompts), counting=True)
        pictures: list[Any] = (
            [references] if one and references is not None else list(references or [()] * len(prompts))
        )
        _check(prompts, seeds, steps, cfg, pictures)
        seen = [[fitted(image, reference_area) for image in images] for images in pictures]
        sizes = _sizes(seen, height, width)
        texts = self.conditioner.encode(prompts, pictures, vision_area)
        negatives = self._negatives(negative, pictures, vision_area) if cfg > 1 else [None] * len(prompts)
        channels = self.vae.config.z_dim
        requests = [
            Request(text, empty, draw_noise(s, *size, channels), size, tuple(self._encode(image) for image in images))
            for text, empty, s, size, images in zip(texts, negatives, seeds, sizes, seen, strict=True)
        ]
        tokens = sample_tokens(self.transformer, requests, steps, cfg, self.schedule, progress)
        return self.decode(tokens, sizes)

    def _negatives(self, negative: str, references: Sequence[Sequence[Image]], area: int | None) -> list[Tensor]:
        """The negative prompt's condition for each sample; without references it is the same for all."""
        plain = self.conditioner.encode([negative])[0]
        edits = [images for images in references if images]
        seen = iter(self.conditioner.encode([negative] * len(edits), edits, area))
        return [next(seen) if images else plain for images in references]

    def _encode(self, image: Image) -> tuple[Tensor, Size]:
        """Tokens of a reference: the posterior's mean, normalized."""
        latents = self.vae.encode(pixels(image))
        return patchify(latents)[0], tokens_of(image.height, image.width)

    def decode(self, tokens: Sequence[Tensor], sizes: Sequence[Size]) -> list[Tensor]:
        """(3, H, W) fp32 pictures in 0..1 of image tokens; those of one size are decoded together, up to DECODE_PIXELS at a
        time. Raises RunFailed where a picture is not finite."""
        out: dict[int, Tensor] = {}
        for size in dict.fromkeys(sizes):
            same = [i for i, other in enumerate(sizes) if other == size]
            count = max(1, DECODE_PIXELS // (size[0] * size[1] * 256))
            for start in range(0, len(same), count):
                part = same[start : start + count]
                latents = unpatchify(torch.stack([tokens[i] for i in part]), *size)
                images = self.vae.decode(latents).float() / 2 + 0.5
                if not images.isfinite().all():
                    raise RunFailed(
                        "a sample came out with numbers that are not finite; a weight or a number of the model's "
                        "configs is damaged, or too large for its dtype"
                    )
                out.update(zip(part, images.clamp(0, 1), strict=True))
        return [out[i] for i in range(len(tokens))]


def to_array(picture: Tensor) -> np.ndarray:
    """(H, W, 3) uint8 of a (3, H, W) picture in 0..1."""
    return (picture.permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy()


def _check(
    prompts: Sequence[str], seeds: Sequence[int], steps: int, cfg: float, references: Sequence[Sequence[Image]]
) -> None:
    if not math.isfinite(cfg):
        raise UserError(f"cfg: {cfg}; a finite number is needed")
    if len(seeds) != len(prompts):
        raise UserError(f"seed: {len(seeds)} seeds for {len(prompts)} prompts; give one, or one each")
    wrong = [seed for seed in seeds if not 0 <= seed < 2**64]
    if wrong:
        raise UserError(f"seed: {wrong[0]}; it must be at least 0 and below 2**64")
    if steps < 1:
        raise UserError(f"steps: {steps}; at least 1 is needed")
    if len(references) != len(prompts):
        raise UserError(f"references: {len(references)} lists for {len(prompts)} prompts; give one each")
    for i, (prompt, images) in enumerate(zip(prompts, references, strict=True)):
        if not isinstance(images, Sequence):
            raise UserError(f"references: expected a list of pictures for each prompt, found {type(images).__name__}")
        strange = next((image for image in images if not hasattr(image, "has_transparency_data")), None)
        if strange is not None:
            raise UserError(f"references: expected pictures of Pillow, found {type(strange).__name__}")
        if images and not str(prompt).strip():
            raise UserError(f"prompt {i} is empty; references need an instruction that says what to do with them")


def _sizes(
    references: Sequence[Sequence[Image]], height: int | Sequence[int] | None, width: int | Sequence[int] | None
) -> list[Size]:
    """(h, w) in patches for each sample; a side that is not given is that of its last (fitted) reference, or 1024."""
    count = len(references)
    defaults = [images[-1].size if images else (_DEFAULT_SIDE, _DEFAULT_SIDE) for images in references]
    heights = _each(height, [h for _, h in defaults])
    widths = _each(width, [w for w, _ in defaults])
    if not len(heights) == len(widths) == count:
        raise UserError(f"size: {len(heights)} heights and {len(widths)} widths for {count} prompts")
    try:
        return [tokens_of(h, w) for h, w in zip(heights, widths, strict=True)]
    except ValueError as error:
        raise UserError(str(error)) from None


def _each(given: Any, defaults: list[int], counting: bool = False) -> list[int]:
    """One whole number per prompt, NumPy's too: as listed, the same for all, or counting up; ``defaults`` for None."""
    if given is None:
        return defaults
    if isinstance(given, Integral):
        return [index(given) + (i if counting else 0) for i in range(len(defaults))]
    return [*map(index, given)]
