"""The flow loss on held-out rows, by task, text level and sigma: always of the same samples with the same noise.

config.yaml of the training, DATASET ──held-out batches as in validation──> each sample at each sigma ──> losses
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

import configs
from configs import RunFailed, UserError
from configs.load import parse_yaml
from model.checkpoint import load_transformer
from model.flops import forward_flops
from model.mmdit import MMDiT
from model.precision import multiplies_bf16
from trainer.base import Base
from trainer.config import FitConfig
from trainer.data.folder import Data, open_data
from trainer.data.frozen import Frozen
from trainer.data.loader import Loader, Prepared
from trainer.data.producers.open import open_producer
from trainer.evaluate.base import Item, Judged, Subject, Suite
from trainer.evaluate.config import Losses
from trainer.loss import micro_batch, sample_losses
from trainer.monitor.config import ValidationConfig
from trainer.rng import KeyedRandom
from trainer.setup import open_order

_OTHER_SEED = 1 << 33
"""Added to the training's seed, so that neither its noise nor its validation's is drawn again."""


class Loss(Suite):
    name: ClassVar[str] = "loss"
    main = "loss"
    draws = "nothing"
    reads = False
    lower_is_better = True

    def items(self) -> list[Item]:
        return []

    def check(self, subject: Subject | None) -> None:
        assert subject  # ``draws`` says that it is measured on a model
        training_config(self.config.loss, subject.checkpoint)
        if not self.config.loss.data:
            raise UserError("suite loss: name the dataset that holds rows out: --set loss.data=DATASET")

    def measure(self, subject: Subject) -> list[tuple[Item, Judged]]:
        """Raises UserError where no row is held out, RunFailed for losses that are not finite."""
        wanted = self.config.loss
        config = training_config(wanted, subject.checkpoint)
        dataset = open_data(wanted.data)
        order = open_order(config, dataset, Base(subject.folder))
        assert order.held_out is not None
        with torch.no_grad():
            measured = _Measured(config, dataset, subject, wanted.sigmas)
            loader = Loader(config, dataset, order.held_out, measured.producer, measured.cost)
            return [found for prepared in loader.batches(0) for found in measured.of(prepared)]


def training_config(wanted: Losses, checkpoint: Path) -> FitConfig:
    """The training's config with what ``wanted`` says of held-out rows, nothing dropped. Raises UserError."""
    near = [checkpoint / "config.yaml", checkpoint.parent / "config.yaml", checkpoint.parent.parent / "config.yaml"]
    path = Path(wanted.config) if wanted.config else next((p for p in near if p.is_file()), None)
    if path is None or not path.is_file():
        raise UserError(
            f"suite loss: {path or checkpoint} has no config of a training; name it: --set loss.config=FILE"
        )
    tree = parse_yaml(path.read_text("utf-8"), str(path))
    names = {field.name for field in dataclasses.fields(FitConfig)}
    known = {name: value for name, value in tree.items() if name in names} if isinstance(tree, dict) else {}
    config = configs.decode(known, FitConfig, str(path))
    where = wanted.where or (config.validation.where if config.validation else "")
    if not where:
        raise UserError(
            f"suite loss: {path} holds no rows out; name those that were not trained on: --set loss.where=EXPR"
        )
    held_out = ValidationConfig(where=where, samples=wanted.samples)
    undropped = replace(config.objective, dropout=0.0)
    seed = config.seed + _OTHER_SEED
    return replace(config, validation=held_out, objective=undropped, encoded=None, encode="in_process", seed=seed)


class _Measured:
    """The model with what makes its batches."""

    def __init__(self, config: FitConfig, dataset: Data, subject: Subject, sigmas: tuple[float, ...]) -> None:
        self.config, self.dataset, self.sigmas = config, dataset, sigmas
        self.device = torch.device(subject.device)
        dtype = getattr(torch, subject.dtype) if subject.dtype else None
        self.model: MMDiT = load_transformer(subject.folder, dtype, self.device).eval()
        if self.model.img_in.weight.dtype == torch.bfloat16 and not multiplies_bf16(self.device):
            self.model = self.model.float()
        self.dtype = self.model.img_in.weight.dtype
        frozen = Frozen(subject.folder, self.device, config.max_text_tokens, False, print)
        self.producer = open_producer(config, frozen, torch.float32)

    def cost(self, image: np.ndarray, text: np.ndarray) -> np.ndarray:
        return np.array([forward_flops(self.model.config, int(i), int(t)) for i, t in zip(image, text, strict=True)])

    def of(self, prepared: Prepared) -> Iterator[tuple[Item, Judged]]:
        """Each sample of a batch with its loss at every sigma."""
        batch = prepared.batch
        ids = [sample["id"] for sample in self.dataset.read(batch.rows.tolist(), ["id"])]
        for slots in prepared.slots:
            losses = [self._losses(prepared, slots, sigma) for sigma in self.sigmas]
            for place, slot in enumerate(slots):
                each = [float(at[place]) for at in losses]
                group = f"{batch.tasks[slot]}, level {int(batch.levels[slot])}"
                w, h = (int(side) for side in batch.buckets[slot])
                item = Item(str(ids[slot]), "", w, h, group=group)
                by_sigma = {f"loss at {s:g}": (v, 1.0) for s, v in zip(self.sigmas, each, strict=True)}
                yield item, {"loss": (sum(each), float(len(each))), **by_sigma}

    def _losses(self, prepared: Prepared, slots: list[int], sigma: float) -> torch.Tensor:
        at = torch.full((len(prepared.batch.rows),), sigma, dtype=torch.float64)
        rng = KeyedRandom(self.config.seed, prepared.batch.step, len(at))
        samples = [prepared.samples[slot] for slot in slots]
        narrow = self.dtype if self.dtype != torch.float32 else None
        micro = micro_batch(samples, slots, at, rng, self.device, narrow)
        found = sample_losses(self.model, micro, narrow).double().cpu()
        if not found.isfinite().all():
            raise RunFailed(
                f"suite loss: the loss at sigma {sigma:g} is not finite; a weight is damaged, or too large for its dtype"
            )
        return found
