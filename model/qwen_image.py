"""The whole model behind one class: ``QwenImage.load(folder).sample("...")``.

prompt --Conditioner--> text --MMDiT, Euler steps--> latents --ImageVAE--> picture
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from configs import UserError
from model.checkpoint import check_folder, load_schedule, load_transformer
from model.condition import Conditioner
from model.latents import tokens_of, unpatchify
from model.mmdit import MMDiT
from model.sample import Request, draw_noise, sample_tokens
from model.schedule import QWEN_IMAGE, ScheduleConfig
from model.vae import ImageVAE

if TYPE_CHECKING:
    from PIL.Image import Image

DECODE_PIXELS = 2**20  # ours: pixels decoded in one call


class QwenImage:
    """Transformer, VAE, conditioner and schedule of one pipeline folder."""

    def __init__(
        self, transformer: MMDiT, vae: ImageVAE, conditioner: Conditioner, schedule: ScheduleConfig = QWEN_IMAGE
    ) -> None:
        self.transformer, self.vae, self.conditioner, self.schedule = transformer, vae, conditioner, schedule

    @classmethod
    def load(
        cls, folder: str | Path, dtype: torch.dtype | None = None, device: torch.device | str = "cpu"
    ) -> QwenImage:
        """From a diffusers folder; ``dtype`` None keeps what is stored. UserError when something does not fit."""
        folder = check_folder(folder)
        schedule = load_schedule(folder)
        vae = ImageVAE.load(folder).to(device=device, dtype=dtype).eval()
        transformer = load_transformer(folder, dtype, device).eval()
        return cls(transformer, vae, Conditioner.load(folder, dtype, device), schedule)

    def sample(
        self,
        prompts: str | Sequence[str],
        height: int | Sequence[int] = 1024,
        width: int | Sequence[int] = 1024,
        steps: int = 50,
        cfg: float = 4.0,
        negative: str = " ",
        seed: int | Sequence[int] = 0,
        progress: Callable[[int], None] | None = None,
    ) -> list[Image]:
        """One picture per prompt; arguments as in ``sample_tensor``."""
        from PIL import Image

        tensors = self.sample_tensor(prompts, height, width, steps, cfg, negative, seed, progress)
        arrays = [(t.permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy() for t in tensors]
        return [Image.fromarray(array) for array in arrays]

    @torch.inference_mode()
    def sample_tensor(
        self,
        prompts: str | Sequence[str],
        height: int | Sequence[int] = 1024,
        width: int | Sequence[int] = 1024,
        steps: int = 50,
        cfg: float = 4.0,
        negative: str = " ",
        seed: int | Sequence[int] = 0,
        progress: Callable[[int], None] | None = None,
    ) -> list[Tensor]:
        """(3, H, W) fp32 tensors in 0..1, before any rounding.

        Sizes in pixels, multiples of 16, common or one per prompt. ``seed``: one per prompt, or a
        first one from which they count up. Guidance is off for ``cfg`` <= 1.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        seeds = [seed + i for i in range(len(prompts))] if isinstance(seed, int) else list(seed)
        sizes = self._sizes(prompts, height, width)
        if len(seeds) != len(prompts):
            raise UserError(f"seed: {len(seeds)} seeds for {len(prompts)} prompts; give one, or one each")
        if steps < 1:
            raise UserError(f"steps: {steps}; at least 1 is needed")
        texts = self.conditioner.encode(prompts)
        empty = self.conditioner.encode([negative])[0] if cfg > 1 else None
        channels = self.vae.config.z_dim
        requests = [
            Request(text, empty, draw_noise(s, *size, channels), size)
            for text, s, size in zip(texts, seeds, sizes, strict=True)
        ]
        tokens = sample_tokens(self.transformer, requests, steps, cfg, self.schedule, progress)
        return self._decode(tokens, sizes)

    def _sizes(
        self, prompts: Sequence[str], height: int | Sequence[int], width: int | Sequence[int]
    ) -> list[tuple[int, int]]:
        heights = [height] * len(prompts) if isinstance(height, int) else list(height)
        widths = [width] * len(prompts) if isinstance(width, int) else list(width)
        if not len(heights) == len(widths) == len(prompts):
            raise UserError(f"size: {len(heights)} heights and {len(widths)} widths for {len(prompts)} prompts")
        try:
            return [tokens_of(h, w) for h, w in zip(heights, widths, strict=True)]
        except ValueError as error:
            raise UserError(str(error)) from None

    def _decode(self, tokens: Sequence[Tensor], sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Pictures of one size are decoded together, up to DECODE_PIXELS at a time."""
        out: dict[int, Tensor] = {}
        for size in dict.fromkeys(sizes):
            same = [i for i, other in enumerate(sizes) if other == size]
            count = max(1, DECODE_PIXELS // (size[0] * size[1] * 256))
            for start in range(0, len(same), count):
                part = same[start : start + count]
                latents = unpatchify(torch.stack([tokens[i] for i in part]), *size)
                images = self.vae.decode(latents).float() / 2 + 0.5
                out.update(zip(part, images.clamp(0, 1), strict=True))
        return [out[i] for i in range(len(tokens))]
