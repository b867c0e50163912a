"""The loop and the step, the same for one process and for many."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from configs import RunFailed
from model.checkpoint import load_schedule
from model.export import step_folder
from model.flops import forward_flops
from model.qwen_image import QwenImage
from pipeline.progress import progress
from trainer.config import FitConfig
from trainer.data.frozen import Frozen
from trainer.data.growth import PhaseDatasets
from trainer.data.loader import Batches, Loader, Prepared
from trainer.data.producers.open import open_producer
from trainer.finite import FiniteGuard, check_finite
from trainer.lora.dropout import dropout_keys
from trainer.loss import MicroBatch, draw_sigma, dummy, micro_batch, sample_losses
from trainer.monitor.examples import examples
from trainer.monitor.forecast import Forecast
from trainer.monitor.metrics import Line, Metrics
from trainer.monitor.samples import draw_samples, save_samples
from trainer.monitor.summary import gpu_peak, step_line
from trainer.monitor.validation import Validation
from trainer.optim.ema import make_average
from trainer.optim.optimizer import make_optimizer
from trainer.optim.schedule import rate
from trainer.order.order import Order
from trainer.parallel.network import open_network, wide_dtype
from trainer.parallel.world import World
from trainer.rng import KeyedRandom
from trainer.setup import product_dtype_of, sampled_rows, training_index
from trainer.start import Start
from trainer.state.best import BestMetric
from trainer.state.checkpoint import Checkpoints
from trainer.state.signals import StopRequest
from trainer.tasks.base import Encoded
from trainer.update import make_update


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
        start: Start,
    ) -> None:
        """``datasets``: of the phases; ``order`` knows those that have begun. ``base``: the pipeline folder that
        ``start`` and ``config`` name."""
        if config.threads:
            torch.set_num_threads(config.threads)
        self.config, self.out, self.order, self.world = config, out, order, world
        self.product = product_dtype_of(config.precision, world.device, world.tell)
        # A LoRA's base and weights in bf16 cast for themselves, which saves autocast's copies.
        self.autocast = None if config.lora or config.optimizer.weights == "bf16" else self.product
        self.schedule = load_schedule(base)
        self.network = open_network(config, base, world, self.product, start)
        self.model = self.network.model
        check_finite(self.model, base, config.weights)
        self.dropout = dropout_keys(self.model)
        self.average = make_average(self.model, config.optimizer.ema, config.optimizer.ema_device)
        self.optimizer = make_optimizer(self.model, config.optimizer, config.seed)
        self.update = make_update(config.optimizer, self.network, self.optimizer, world)
        self.wide = wide_dtype(config)
        self.frozen = Frozen(base, world.device, config.max_text_tokens, config.encoders == "leave", world.tell)
        self.datasets, self.dataset = datasets, datasets.first()
        self.producer = open_producer(config, self.frozen, self.wide)
        self.loader = self._loader(config, order)
        most = order.conditioning.most_references
        self.shown = examples(config.samples, self.dataset, sampled_rows(config), most) if config.samples else []
        self.validation = self._validation()
        self.guard = FiniteGuard(config.on_nonfinite, self._ids, world, self._is_saved)
        self.checkpoints = Checkpoints(
            out,
            base,
            world,
            self.model,
            self.average,
            self.optimizer,
            config.checkpoint.keep,
            {"lora_alpha": config.lora.scaled_by} if config.lora else {},
        )
        self.done = self.checkpoints.restore()
        if self.done == 0 and start.checkpoint is not None:
            self.checkpoints.load(step_folder(start.checkpoint))
        best = config.checkpoint.best
        self.best = BestMetric(best, out, self.done) if best else None

    def _ids(self, rows: Sequence[int]) -> list[str]:
        """Of samples of the phase that is trained."""
        return [sample["id"] for sample in self.dataset.read(rows, ["id"])]

    def _is_saved(self) -> bool:
        """Whether there is a checkpoint, or will be once what is being written is."""
        return self.checkpoints.newest is not None

    def _loader(self, config: FitConfig, order: Batches) -> Loader:
        """Of this rank's samples."""
        ranks = (self.world.data.get_local_rank(), self.world.data.size())
        return Loader(config, self.dataset, order, self.producer, self._cost, *ranks)

    def _validation(self) -> Validation | None:
        """On rows of the first phase's dataset to the end, so that all its losses are of the same samples."""
        held_out = self.order.held_out
        if held_out is None:
            return None
        return Validation(self.config, held_out, lambda config: self._loader(config, held_out), self.schedule)

    def _validated(self) -> Line:
        """The validation loss when it is time, with the averaged weights."""
        config = self.config.validation
        last = self.done == self.order.steps
        if config is None or self.validation is None or not (last or self.done % config.every == 0):
            return {}
        with self._judged():
            line = self.validation.measure(self.network.call, self.world, self.dummy, self.product, self.autocast)
        if line["validation_loss"] is None:
            tasks = ", ".join(task for task, loss in line["validation_loss_by_task"].items() if loss is None)
            self.world.tell(
                f"step {self.done - 1}: the validation loss is not finite ({tasks}); metrics.jsonl has null"
            )
        return line

    def _cost(self, image: np.ndarray, text: np.ndarray) -> np.ndarray:
        return np.array([forward_flops(self.model.config, int(i), int(t)) for i, t in zip(image, text, strict=True)])

    def run(self, stop: StopRequest) -> None:
        """Train the steps that are left. Raises RunFailed where a signal or a number that is not finite ends it."""
        try:
            if self.done == 0:
                self._sample()
            with self._shown() as shown:
                free = time.perf_counter()
                for prepared in self._prepared():
                    stop.hold()
                    begun = time.perf_counter()
                    line, asked = self.step(prepared, stop.received)
                    self.done += 1
                    seconds = {"seconds": round(time.perf_counter() - begun, 4), "data_seconds": round(begun - free, 4)}
                    line |= self._validated()
                    shown({**line, **seconds, **gpu_peak(self.world.device)})
                    self._keep(line)
                    if asked and self.done < self.order.steps:
                        self._stop(stop.name)
                    free = time.perf_counter()
        except (RunFailed, SystemExit):  # all ranks end together: what is being written becomes a checkpoint
            self.checkpoints.finish()
            raise
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
        name = self.order.phases[number].phase.name
        if self.world.first:
            told = self.datasets.begin(name, lambda found: self.order.grown(training_index(self.config, found), number))
            if told:
                print(told, flush=True)
        self.world.barrier()
        self.dataset, changed = self.datasets.enter(name)
        if changed:
            self.order = self.order.grown(training_index(self.config, self.dataset), number)
        self.loader.open(self.order, self.dataset)
        return number

    def _tell_lacking(self, number: int) -> None:
        lacking, self.loader.lacking = self.world.sum(self.loader.lacking), 0
        if lacking and self.config.encoded:
            name = self.order.phases[number].phase.name
            self.world.tell(
                f"phase {name}: {lacking:,} latents and conditions were not in {self.config.encoded} and were "
                "encoded by the training"
            )

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
        lr = rate(batch.step, self.order.steps, config.optimizer, phase.lr)
        self.update.begin(batch.step, lr)
        with self.guard.naming(batch.step, losses, batch.rows.tolist(), sigma.tolist()):
            for number, slots in enumerate(prepared.slots):
                samples = [prepared.samples[slot] for slot in slots]
                micro = self._micro_batch(samples, slots, sigma, rng) if slots else self.dummy()
                if self.dropout:
                    self.dropout.begin(rng, slots, micro.layout, self.world.device)
                with network.accumulating(last=number == len(prepared.slots) - 1):
                    part = sample_losses(network.call, micro, self.autocast)
                    if slots:
                        losses[slots] = part.detach().double()
                    (part.sum() * (network.scale / size if slots else 0.0)).backward()
        told, asked = self.world.gather(losses, stop)
        norm = self.update.finish()
        good = self.guard.passes(batch.step, told, norm, batch.rows.tolist(), sigma.tolist())
        if good:
            self.update.apply(norm)
            self.average.update(self.model, batch.step)
        else:
            self.update.skip()
        return step_line(batch, phase.name, told, lr, norm, good), asked

    def _micro_batch(self, samples: list[Encoded], slots: list[int], sigma: Tensor, rng: KeyedRandom) -> MicroBatch:
        fixed = self.config.parallel.compile
        return micro_batch(samples, slots, sigma, rng, self.world.device, self.product, fixed)

    def dummy(self) -> MicroBatch:
        """What a rank runs that has no sample."""
        config = self.model.config
        return dummy(config.in_channels, config.joint_attention_dim, self.world.device, self.wide, self.product)

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

    def _stop(self, signal: str) -> None:
        self.checkpoints.save(self.done)
        self.world.stop(
            f"asked to end ({signal}) after {self.done:,} of {self.order.steps:,} steps; all of it is saved: the same "
            "command goes on from there"
        )

    @contextlib.contextmanager
    def _judged(self) -> Iterator[None]:
        """The averaged weights, without dropout: what is exported, so what is measured and shown."""
        with self.average.applied(self.model):
            self.model.eval()
            try:
                yield
            finally:
                self.model.train()

    def _sample(self) -> None:
        """With the averaged weights, by all ranks together: a divided network cannot be asked by one."""
        if self.config.samples:
            narrow = self.product is not None and self.world.mode == "fsdp"  # which gathers weights in that dtype
            autocast = torch.autocast(self.world.device.type, self.product, enabled=narrow)
            with self._judged(), self.frozen.at_work(), autocast:
                parts = QwenImage(self.model, self.frozen.vae, self.frozen.conditioner, self.schedule)
                pictures = draw_samples(parts, self.shown, self.config.samples, self.config.objective.empty)
            if self.world.first:
                save_samples(self.out, self.done, pictures, self.shown)
