"""Training: the loop, and what it needs around it.

    Order ─> Loader ─> Trainer.step: micro-batches -> loss, gradients -> AdamW -> averaged weights
                          └─> metrics.jsonl, checkpoints/, samples/ ─> export/

What step t trains on and with which noise depends on (config, dataset, t) alone, so a run that is
killed and started again goes through the same losses as one that was not.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import torch

from configs.files import replace_text
from model.checkpoint import load_schedule, load_transformer
from model.condition import Conditioner
from model.export import export
from model.flops import forward_flops
from model.precision import widen
from model.qwen_image import QwenImage
from model.vae_weights import load_vae_folder
from pipeline.dataset import Dataset
from pipeline.progress import progress
from pipeline.store.lock import RunLock
from trainer import checkpoint
from trainer.config import FitConfig
from trainer.data.encoders import Encoders
from trainer.data.loader import Loader, Prepared
from trainer.loss import loss_of, micro_batch
from trainer.monitor.forecast import Forecast
from trainer.monitor.metrics import Metrics, phase_losses, read_metrics
from trainer.monitor.samples import draw_samples
from trainer.optim.ema import EMA
from trainer.optim.optimizer import make_optimizer
from trainer.optim.schedule import rate
from trainer.order.order import Order, read_index
from trainer.order.split import split
from trainer.setup import autocast_dtype, base_folder, check_start, pick_device, save_config


def fit(config: FitConfig, out: Path, data: Path, wait: bool = False) -> None:
    """Train into ``out`` from the dataset at ``data``; goes on where an earlier call stopped.

    Raises UserError before anything is written, or while another process trains into ``out`` (``wait``: waits).
    """
    dataset = Dataset.open(data)
    order = Order(read_index(dataset, config.phases), config.phases, config.seed)
    check_start(config, out)
    for why in order.without:
        print(f"left out, being optional: {why}")
    with RunLock(out / "lock", wait):
        save_config(config, dataset, out)
        if (out / "export" / "model_index.json").exists() and (out / "phases.json").exists():
            print(f"{out}: trained already, {order.steps:,} steps; export/ holds the model")
            return
        trainer = Trainer(config, out, dataset, order)
        trainer.run()
        finish(trainer)


class Trainer:
    """Model, optimizer and averaged weights after ``done`` steps."""

    def __init__(self, config: FitConfig, out: Path, dataset: Dataset, order: Order) -> None:
        if config.threads:
            torch.set_num_threads(config.threads)
        self.config, self.out, self.order = config, out, order
        self.device = pick_device(config.device)
        self.dtype = autocast_dtype(config.precision, self.device)
        self.base = base_folder(config, out)
        self.schedule = load_schedule(self.base)
        self.model = load_transformer(self.base, torch.float32, self.device).train()
        self.average = EMA(self.model, config.optimizer.ema)
        self.optimizer = make_optimizer(self.model, config.optimizer)
        vae, conditioner = load_vae_folder(self.base).to(self.device), Conditioner.load(self.base, device=self.device)
        widened = widen(self.device, vae, conditioner.encoder)
        if widened:
            print(f"{self.base}: {widened}", flush=True)
        self.parts = QwenImage(self.model, vae, conditioner, self.schedule)
        limit = config.loading.cache_megabytes * 10**6
        self.loader = Loader(config, dataset, order, Encoders(vae, conditioner, limit, self.device))
        saved = checkpoint.checkpoints(out)
        self.done = checkpoint.restore(saved[-1], self.model, self.average, self.optimizer) if saved else 0

    def run(self) -> None:
        """Train the steps that are left."""
        metrics = Metrics(self.out, self.done)
        if self.done == 0:
            self._sample()
        forecast = Forecast(self.device)
        with progress("train", self.order.steps - self.done, "steps", even=True) as counter:
            for prepared in self.loader.batches(self.done):
                metrics.write(self.step(prepared))
                self.done += 1
                counter.add(1)
                long = forecast.look(counter.left())
                if long:
                    print(long, flush=True)
                self._keep()
        metrics.close()

    def step(self, prepared: Prepared) -> dict[str, float | int | str]:
        """One optimizer step on a global batch; returns its line of metrics."""
        start = time.perf_counter()
        config, batch = self.config, prepared.batch
        phase = self.order.phases[batch.phase].phase
        loss = torch.zeros((), device=self.device)
        for slots in self._cut(prepared):
            micro = micro_batch(prepared, slots, config.seed, config.objective, self.schedule, self.device, self.dtype)
            part = loss_of(self.model, micro, self.dtype)
            part.backward()
            loss += part.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.optimizer.clip)
        lr = rate(batch.step, self.order.steps, config.optimizer, phase.lr)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.model, batch.step)
        return {
            "step": batch.step,
            "phase": phase.name,
            "loss": loss.item(),
            "lr": lr,
            "grad_norm": norm.item(),
            "samples": len(batch.rows),
            "image_tokens": int(batch.tokens.sum()),
            "seconds": round(time.perf_counter() - start, 4),
        }

    def _cut(self, prepared: Prepared) -> list[np.ndarray]:
        image, text = [len(x) for x in prepared.latents], [len(x) for x in prepared.texts]
        costs = [float(forward_flops(self.model.config, i, t)) for i, t in zip(image, text, strict=True)]
        sizes = [i + t for i, t in zip(image, text, strict=True)]
        return split(sizes, costs, 1, self.config.max_micro_batch_tokens)[0]

    def _keep(self) -> None:
        """Checkpoint and sample when it is time; the last step always is."""
        last = self.done == self.order.steps
        if last or self.done % self.config.checkpoint.every == 0:
            self.save()
        samples = self.config.samples
        if samples and (last or self.done % samples.every == 0):
            self._sample()

    def save(self) -> Path:
        keep = self.config.checkpoint.keep
        return checkpoint.save(self.out, self.done, self.base, self.model, self.average, self.optimizer, keep)

    def _sample(self) -> None:
        if self.config.samples:
            negative = self.config.objective.empty
            draw_samples(self.out, self.done, self.model, self.average, self.parts, self.config.samples, negative)


def finish(trainer: Trainer) -> None:
    """export/ and phases.json: what a finished training is known by."""
    out = trainer.out
    newest = checkpoint.checkpoints(out)[-1]
    shutil.rmtree(out / "export", ignore_errors=True)
    export(newest, out / "export")
    names = [p.phase.name for p in trainer.order.phases]
    losses = phase_losses(read_metrics(out), names)
    replace_text(out / "phases.json", json.dumps(losses, indent=2, ensure_ascii=False) + "\n", durable=False)
    for line in losses:
        print(
            f"{line['phase']:>12}: loss {line['loss_start']:.4f} -> {line['loss_end']:.4f} in {line['steps']:,} steps"
        )
    print(
        f"{out / 'export'}: the model, averaged weights, for diffusers.QwenImagePipeline and `python -m model sample`"
    )
