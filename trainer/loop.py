"""The loop and the step, the same for one process and for many."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from model.checkpoint import load_schedule
from model.flops import forward_flops
from model.qwen_image import QwenImage
from pipeline.progress import progress
from trainer.config import FitConfig
from trainer.data.frozen import Frozen
from trainer.data.growth import PhaseDatasets
from trainer.data.loader import Loader, Prepared
from trainer.data.producers.open import open_producer
from trainer.finite import FiniteGuard
from trainer.loss import MicroBatch, draw_sigma, dummy, micro_batch, sample_losses
from trainer.monitor.forecast import Forecast
from trainer.monitor.metrics import Line, Metrics
from trainer.monitor.samples import draw_samples, save_samples
from trainer.monitor.summary import step_line
from trainer.optim.ema import EMA
from trainer.optim.optimizer import make_optimizer
from trainer.optim.schedule import rate
from trainer.order.index import read_index
from trainer.order.order import Order
from trainer.parallel.gradients import clip, gradient_norm, sum_over_heads
from trainer.parallel.network import open_network
from trainer.parallel.world import World
from trainer.rng import KeyedRandom
from trainer.setup import autocast_dtype
from trainer.state.best import BestMetric
from trainer.state.checkpoint import Checkpoints
from trainer.state.signals import StopRequest


class Trainer:
    """Model, optimizer and averaged weights after ``done`` steps."""

    def __init__(
        self,
        config: FitConfig,
        out: Path,
        datasets: PhaseDatasets,
        order: Order,
        world: World,
        base: Path,
        start: Path | None = None,
    ) -> None:
        """``datasets``: of the phases, of which ``order`` knows those that have begun. ``base``: the pipeline folder to start from. ``start``: a checkpoint of another training to go on from."""
        if config.threads:
            torch.set_num_threads(config.threads)
        self.config, self.out, self.order, self.world = config, out, order, world
        self.dtype = autocast_dtype(config.precision, world.device)
        wide = torch.float64 if config.precision == "fp64" else torch.float32
        self.schedule = load_schedule(base)
        self.network = open_network(base, world, config.parallel, wide, self.dtype)
        self.model = self.network.model
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.average = EMA(self.model, config.optimizer.ema)
        self.optimizer = make_optimizer(self.model, config.optimizer)
        self.frozen = Frozen(base, world.device, config.max_text_tokens, config.encoders == "leave", world.tell)
        self.datasets, self.dataset = datasets, datasets.first()
        producer = open_producer(config, self.frozen, wide)
        ranks = (world.data.get_local_rank(), world.data.size())
        self.loader = Loader(config, self.dataset, order, producer, self._cost, *ranks)
        self.guard = FiniteGuard(config.on_nonfinite, self._ids, world)
        self.checkpoints = Checkpoints(
            out, base, world, self.model, self.average, self.optimizer, config.checkpoint.keep
        )
        self.done = self.checkpoints.restore()
        if self.done == 0 and start is not None:
            self.checkpoints.load(start)
        best = config.checkpoint.best
        self.best = BestMetric(best, out, self.done) if best else None

    def _ids(self, rows: Sequence[int]) -> list[str]:
        """Of samples of the phase that is trained."""
        return [sample["id"] for sample in self.dataset.read(rows, ["id"])]

    def _cost(self, image: np.ndarray, text: np.ndarray) -> np.ndarray:
        return np.array([forward_flops(self.model.config, int(i), int(t)) for i, t in zip(image, text, strict=True)])

    def run(self, stop: StopRequest) -> None:
        """Train the steps that are left. Raises RunFailed where SIGTERM or a number that is not finite ends it."""
        if self.done == 0:
            self._sample()
        with self._shown() as shown:
            for prepared in self._prepared():
                begun = time.perf_counter()
                line, asked = self.step(prepared, stop.received)
                self.done += 1
                shown({**line, "seconds": round(time.perf_counter() - begun, 4)})
                self._keep(line)
                if asked and self.done < self.order.steps:
                    self._stop()
        self.checkpoints.finish()

    def _prepared(self) -> Iterator[Prepared]:
        """The batches that are left, phase by phase, each of the dataset that its phase began with."""
        try:
            while self.done < self.order.steps:
                number = self._enter()
                yield from self.loader.batches(self.done, int(self.order.starts[number + 1]))
                self._tell_lacking(number)
        finally:
            self.loader.producer.close()

    def _enter(self) -> int:
        """Number of the phase that comes next; it begins with what its dataset holds now, unless it has begun before."""
        number = self.order.phase_of(self.done)
        name, phases = self.order.phases[number].phase.name, self.config.phases
        if self.world.first:
            told = self.datasets.begin(name, lambda found: self.order.grown(read_index(found, phases), number))
            if told:
                print(told, flush=True)
        self.world.barrier()
        self.dataset, changed = self.datasets.enter(name)
        if changed:
            self.order = self.order.grown(read_index(self.dataset, phases), number)
        self.loader.open(self.order, self.dataset)
        return number

    def _tell_lacking(self, number: int) -> None:
        if self.loader.lacking and self.config.encoded:
            name = self.order.phases[number].phase.name
            print(
                f"phase {name}: {self.loader.lacking:,} latents and conditions were not in {self.config.encoded} and were "
                "encoded by the training",
                flush=True,
            )
        self.loader.lacking = 0

    @contextlib.contextmanager
    def _shown(self) -> Iterator[Callable[[Line], None]]:
        """What takes each step's line: on rank 0 metrics, progress and forecast, elsewhere nothing."""
        if not self.world.first:
            yield lambda line: None
            return
        forecast = Forecast(self.world.device)
        with (
            contextlib.closing(Metrics(self.out, self.done, self.config.monitor)) as metrics,
            progress("train", self.order.steps - self.done, "steps", even=True) as counter,
        ):

            def show(line: Line) -> None:
                metrics.write(line)
                counter.add(1)
                long = forecast.look(counter.left())
                if long:
                    print(long, flush=True)

            yield show

    def step(self, prepared: Prepared, stop: bool = False) -> tuple[Line, bool]:
        """One optimizer step on a global batch: its line of metrics, and whether a rank was asked to ``stop``."""
        config, batch, network = self.config, prepared.batch, self.network
        phase, size = self.order.phases[batch.phase].phase, len(batch.rows)
        rng = KeyedRandom(config.seed, batch.step, size)
        sigma = draw_sigma(rng, batch.target_tokens, config.objective, self.schedule)
        losses = torch.zeros(size, dtype=torch.float64, device=self.world.device)
        for number, slots in enumerate(prepared.slots):
            samples = [prepared.samples[slot] for slot in slots]
            micro = micro_batch(samples, slots, sigma, rng, self.world.device, self.dtype) if slots else self.dummy()
            with network.accumulating(last=number == len(prepared.slots) - 1):
                part = sample_losses(network.call, micro, self.dtype)
                (part.sum() * (network.scale / size if slots else 0.0)).backward()
            if slots:
                losses[slots] = part.detach().double()
        told, asked = self.world.gather(losses, stop)
        sum_over_heads(network.by_heads, self.world)
        norm = gradient_norm(self.trained, self.world)
        lr = rate(batch.step, self.order.steps, config.optimizer, phase.lr)
        good = self.guard.passes(batch.step, told, norm.item(), batch.rows.tolist(), sigma.tolist())
        if good:
            clip(self.trained, norm, config.optimizer.clip)
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            self.optimizer.step()
            self.average.update(self.model, batch.step)
        self.optimizer.zero_grad(set_to_none=True)
        return step_line(batch, phase.name, told, lr, norm.item(), good), asked

    def dummy(self) -> MicroBatch:
        """What a rank runs that has no sample."""
        config = self.model.config
        dtype = self.trained[0].dtype
        return dummy(config.in_channels, config.joint_attention_dim, self.world.device, dtype)

    def _keep(self, line: Line) -> None:
        """Checkpoint and sample when it is time; the last step always is."""
        self.checkpoints.poll()
        last = self.done == self.order.steps
        best = self.best.look(line, self.done) if self.best else None
        if best or last or self.done % self.config.checkpoint.every == 0:
            self.checkpoints.save(self.done, best)
        samples = self.config.samples
        if samples and (last or self.done % samples.every == 0):
            self._sample()

    def _stop(self) -> None:
        self.checkpoints.save(self.done)
        self.checkpoints.finish()
        self.world.stop(
            f"asked to end (SIGTERM) after {self.done:,} of {self.order.steps:,} steps; all of it is saved: the same "
            "command goes on from there"
        )

    def _sample(self) -> None:
        """With the averaged weights, by all ranks together: a divided network cannot be asked by one."""
        if self.config.samples:
            with self.average.applied(self.model), self.frozen.at_work():
                parts = QwenImage(self.model, self.frozen.vae, self.frozen.conditioner, self.schedule)
                pictures = draw_samples(parts, self.config.samples, self.config.objective.empty)
            if self.world.first:
                save_samples(self.out, self.done, pictures, self.config.samples)
