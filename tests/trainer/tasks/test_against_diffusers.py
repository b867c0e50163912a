"""The loss of mixed batches against one computed by hand with diffusers' network, pipelines and scheduler."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from diffusers.pipelines.qwenimage.pipeline_qwenimage import QwenImagePipeline, calculate_shift
from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus import calculate_dimensions
from PIL import Image

from configs.pictures import Limits, decode
from model.config import Pipeline
from pipeline.dataset import Dataset, Pictures
from tests.model.edit_pipeline import pipeline
from tests.model.folders import edit_folder
from tests.model.reference import gradient_error, worst_gradient
from tests.trainer.trainers import open_trainer
from trainer.config import FitConfig
from trainer.data.loader import Prepared
from trainer.data.resize import resize_to_cover
from trainer.loop import Trainer
from trainer.loss import draw_sigma, micro_batch, sample_losses
from trainer.order.curriculum import Phase, ReferenceConfig, Share
from trainer.rng import SIGMA, KeyedRandom
from trainer.tasks.config import ObjectiveConfig

VAE_AREA, VISION_AREA, SAMPLES = 64 * 64, 96 * 96, 11
MIXTURE = (Share("task == 't2i'", 3), Share("task == 'ti2i'", 6), Share("task == 'i2i'", 2))
_STEPS = 1000  # batches that are looked through for one with all kinds
Kind = tuple[str, int]
"""Task, and number of references."""


def config(base: Path, mixture: tuple[Share, ...], tokens: int = 37) -> FitConfig:
    """``tokens``: of a sample, about, so that many batches have ``SAMPLES`` of them."""
    phase = Phase(
        "mixed",
        _STEPS,
        (64,),
        "width > 0",
        SAMPLES * tokens,
        mixture,
        references=ReferenceConfig(VAE_AREA, VISION_AREA),
    )
    return FitConfig((phase,), model=str(base), seed=3, objective=ObjectiveConfig(dropout=0.15), device="cpu")


def find_batch(trainer: Trainer, wanted: set[Kind]) -> Prepared:
    """The first batch of 11 samples with all of ``wanted`` in it, and with a dropped prompt among those with references."""
    for step in range(trainer.order.steps):
        batch = trainer.order.batch(step)
        references = (batch.references[:, :, 0] > 0).sum(axis=1)
        kinds = set(zip(batch.tasks.tolist(), references.tolist(), strict=True))
        if len(batch.rows) == SAMPLES and kinds == wanted and (dropped(trainer.config, step) & (references > 0)).any():
            return trainer.loader.prepare(step)
    raise AssertionError(f"no step of {trainer.order.steps} has {wanted}")


def dropped(config: FitConfig, step: int) -> np.ndarray:
    return KeyedRandom(config.seed, step, SAMPLES).uniform(1) < config.objective.dropout


class ByHand:
    """One sample's loss with diffusers' parts."""

    def __init__(self, base: Path, config: FitConfig, data: Dataset, step: int) -> None:
        self.pipe, self.config, self.data = pipeline(base), config, data
        self.text = QwenImagePipeline.from_pretrained(base, transformer=None, vae=None)
        self.network = QwenImageTransformer2DModel.from_pretrained(base / "transformer")
        self.rng = KeyedRandom(config.seed, step, SAMPLES)
        self.dropped = dropped(config, step)

    def loss(self, slot: int, row: int, task: str, bucket: tuple[int, int], keep: list[int]) -> torch.Tensor:
        (stored,), (texts,) = self.data.read_pictures([row]), self.data.read_texts([row])
        target = Image.fromarray(resize_to_cover(decode(stored.image, Limits()), bucket, keep))
        prompt = "" if self.dropped[slot] else (texts.captions if task == "t2i" else texts.instructions)[0]
        seen = {"t2i": [], "i2i": [target]}.get(task, self._references(stored))
        sizes = [bucket] if task == "i2i" else [calculate_dimensions(VAE_AREA, r.width / r.height) for r in seen]
        latents = [self._latents(target, bucket)]
        latents += [self._latents(r, size) for r, size in zip(seen, sizes, strict=True)]
        return self._loss(slot, latents, [bucket, *sizes], self._condition(prompt, seen))

    def _references(self, stored: Pictures) -> list[Image.Image]:
        return [Image.fromarray(decode(data, Limits())) for data in stored.references]

    def _condition(self, prompt: str, seen: list[Image.Image]) -> torch.Tensor:
        if not seen:
            return self.text.encode_prompt(prompt, max_sequence_length=self.config.max_text_tokens)[0]
        shown = [
            r.resize(calculate_dimensions(VISION_AREA, r.width / r.height), Image.Resampling.LANCZOS) for r in seen
        ]
        one = type(self.pipe).__name__ == "QwenImageEditPipeline"
        return self.pipe.encode_prompt(prompt, shown[0] if one else shown)[0]

    def _latents(self, picture: Image.Image, size: tuple[int, int]) -> torch.Tensor:
        """Packed, as the edit pipelines encode a reference."""
        image = self.pipe.image_processor.preprocess(picture, size[1], size[0]).unsqueeze(2)
        with torch.no_grad():
            latents = self.pipe._encode_vae_image(image, None)
        return self.pipe._pack_latents(latents, 1, latents.shape[1], *latents.shape[3:])

    def _loss(
        self, slot: int, latents: list[torch.Tensor], sizes: list[tuple[int, int]], text: torch.Tensor
    ) -> torch.Tensor:
        clean, *references = latents
        objective, scheduler = self.config.objective, self.pipe.scheduler
        raw = 1 / (1 + math.exp(-(objective.sigma_mean + objective.sigma_std * self.rng.normal(SIGMA)[slot])))
        mu = calculate_shift(clean.shape[1], 256, 8192, 0.5, 0.9)
        sigma = torch.tensor(scheduler.time_shift(mu, 1.0, torch.tensor(raw, dtype=torch.float64)).item())
        noise = self.rng.noise(slot, tuple(clean.shape[1:]))[None]
        noised = (1 - sigma) * clean + sigma * noise
        shapes = [[(1, h // 16, w // 16) for w, h in sizes]]
        predicted = self.network(torch.cat([noised, *references], 1), text, None, sigma[None], shapes).sample
        return (predicted[:, : clean.shape[1]] - (noise - clean)).square().mean()


def base_folder(kind: Pipeline, out: Path, zero_cond_t: bool) -> Path:
    if not zero_cond_t:
        return edit_folder(kind)
    folder = Path(shutil.copytree(edit_folder(kind), out / "2511"))
    path = folder / "transformer" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"zero_cond_t": True}))
    return folder


ALL: set[Kind] = {("t2i", 0), ("ti2i", 1), ("ti2i", 2), ("ti2i", 3), ("i2i", 1)}


@pytest.mark.parametrize(
    ("kind", "zero_cond_t"),
    [("QwenImageEditPlusPipeline", False), ("QwenImageEditPlusPipeline", True), ("QwenImageEditPipeline", False)],
)
def test_the_loss_of_a_mixed_batch_of_11_samples_equals_diffusers(
    kind: Pipeline, zero_cond_t: bool, all_tasks: Path, tmp_path: Path
) -> None:
    base = base_folder(kind, tmp_path, zero_cond_t)
    one = kind == "QwenImageEditPipeline"
    trainer = open_trainer(config(base, MIXTURE, 30 if one else 37), tmp_path / "out", all_tasks)
    prepared = find_batch(trainer, ALL - {("ti2i", 2), ("ti2i", 3)} if one else ALL)
    batch = prepared.batch
    hand = ByHand(base, trainer.config, Dataset.open(all_tasks), batch.step)
    rows = zip(range(SAMPLES), batch.rows, batch.tasks, batch.buckets, batch.keeps, strict=True)
    theirs = torch.stack([hand.loss(s, int(r), str(t), tuple(b.tolist()), k.tolist()) for s, r, t, b, k in rows])
    rng = KeyedRandom(trainer.config.seed, batch.step, SAMPLES)
    sigma = draw_sigma(rng, batch.target_tokens, trainer.config.objective, trainer.schedule)
    (slots,) = prepared.slots
    micro = micro_batch([prepared.samples[s] for s in slots], slots, sigma, rng, torch.device("cpu"))
    ours = sample_losses(trainer.model, micro, None)
    assert ours.std() > 0.01
    assert (ours - theirs).abs().max() < 1e-5
    assert abs(ours.mean() - theirs.mean()) < 1e-5
    (ours.sum() / SAMPLES).backward()
    theirs.mean().backward()
    assert worst_gradient(trainer.model, hand.network)[0] < gradient_error(trainer.model.config)
