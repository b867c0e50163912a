"""The network that learns, the one it began as, and all that moves, keeps and shows it.

base ──> policy ── adapters or all weights ──> optimizer, averages, checkpoints ─> export/
     └─> reference: the policy without its adapters, or a frozen copy
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from configs import RunFailed
from model.checkpoint import load_schedule, load_transformer
from model.export import export
from model.mmdit import MMDiT
from model.qwen_image import QwenImage
from trainer.data.encoders import TensorCache
from trainer.data.frozen import Frozen
from trainer.lora.adapters import without_adapters
from trainer.lora.base import open_lora
from trainer.monitor.examples import Example
from trainer.monitor.metrics import Line
from trainer.monitor.samples import draw_samples, save_samples
from trainer.optim.ema import make_average
from trainer.optim.optimizer import make_optimizer
from trainer.optim.schedule import rate
from trainer.parallel.world import World
from trainer.post.config import PostConfig
from trainer.setup import product_dtype_of
from trainer.state.checkpoint import Checkpoints
from trainer.state.folders import checkpoints
from trainer.state.signals import StopRequest
from trainer.steps import run_steps

_CACHE = 1 << 30
"""Bytes of conditions that stay in memory; chosen."""


def open_network(
    config: PostConfig, base: Path, product: torch.dtype | None, device: torch.device
) -> tuple[MMDiT, torch.dtype | None]:
    """The network of the pipeline folder ``base`` as it begins to learn, and what it is cast to by autocast."""
    if config.lora:  # adapters and their base cast for themselves
        return open_lora(base, config.lora, config.seed, product, device), None
    return load_transformer(base, torch.float32, device).train(), product


class Conditions:
    """Those of prompts, each encoded once."""

    def __init__(self, encoders: Frozen) -> None:
        self._encoders, self._known = encoders, TensorCache(_CACHE)

    def of(self, prompt: str) -> Tensor:
        """(m, d), in fp32 on the CPU."""
        return self._known.get(prompt, lambda: self._encoders.conditioner.encode([prompt])[0].to("cpu", torch.float32))


class Policy:
    """Of the pipeline folder ``base``, after ``done`` steps."""

    def __init__(self, config: PostConfig, base: Path, out: Path, world: World) -> None:
        if config.threads:
            torch.set_num_threads(config.threads)
        self.config, self.base, self.out, self.world = config, base, out, world
        product = product_dtype_of(config.precision, world.device, world.tell)
        self.schedule = load_schedule(base)
        self.model, self.autocast = open_network(config, base, product, world.device)
        self._frozen: MMDiT | None = None
        if not config.lora:
            self._frozen = load_transformer(base, torch.float32, world.device).eval().requires_grad_(False)
        self.encoders = Frozen(base, world.device, config.max_text_tokens, tell=world.tell)
        self.text = Conditions(self.encoders).of
        self.average = make_average(self.model, config.optimizer.ema, config.optimizer.ema_device)
        self.optimizer = make_optimizer(self.model, config.optimizer, config.seed)
        about = {"lora_alpha": config.lora.scaled_by} if config.lora else {}
        parts = (world, self.model, self.average, self.optimizer, config.checkpoint.keep, about)
        self.checkpoints = Checkpoints(out, base, *parts)
        self.done = self.checkpoints.restore()
        self.trained = [p for p in self.model.parameters() if p.requires_grad]

    @contextlib.contextmanager
    def reference(self) -> Iterator[MMDiT]:
        """The network as it was before the first step, for calls without gradients."""
        with torch.no_grad():
            if self._frozen is not None:
                yield self._frozen
            else:
                with without_adapters(self.model):
                    yield self.model

    def run(self, take: Callable[[int], Line], stop: StopRequest) -> None:
        """Take the steps that are left and write export/. Raises RunFailed where a signal ends it."""
        config = self.config
        if self.done == 0:
            self._show(0)
        run = (self.done, config.steps, self.out, self.checkpoints, config.checkpoint, config.monitor, self.world, stop)
        run_steps(take, *run, after=self._show)
        stop.release()
        shutil.rmtree(self.out / "export", ignore_errors=True)
        export(checkpoints(self.out)[-1], self.out / "export")
        print(f"{self.out / 'export'}: the {'LoRA' if config.lora else 'model'}, averaged weights")

    def update(self, step: int, loss: Tensor | float) -> dict[str, float]:
        """Move the weights by the gradients that are there: ``lr`` and ``grad_norm``. Raises RunFailed for a gradient that
        is not finite."""
        lr = rate(step, self.config.steps, self.config.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        norm = torch.nn.utils.clip_grad_norm_(self.trained, self.config.optimizer.clip)
        if not norm.isfinite():
            raise RunFailed(
                f"step {step}: the gradient is not finite (loss {float(loss):g}); no weight was changed by it and the last "
                "checkpoint is good: lower optimizer.lr, or take precision fp32"
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.model, step)
        return {"lr": lr, "grad_norm": norm.item()}

    @contextlib.contextmanager
    def judged(self) -> Iterator[QwenImage]:
        """The whole model with the averaged weights: what is exported."""
        with self.average.applied(self.model):
            self.model.eval()
            try:
                yield QwenImage(self.model, self.encoders.vae, self.encoders.conditioner, self.schedule)
            finally:
                self.model.train()

    def _show(self, done: int) -> Line:
        """samples.png when it is time."""
        samples = self.config.samples
        if samples and (done == self.config.steps or done % samples.every == 0):
            shown = [Example(prompt, samples.size) for prompt in samples.prompts]
            with self.judged() as sampler:
                save_samples(self.out, done, draw_samples(sampler, shown, samples, ""), shown)
        return {}
