"""What the loop adds to the bare step: ``python tests/benchmarks/train_step.py DATASET``.

DATASET is that of the quickstart (``runs/quickstart/dataset``). The bare step is what any training of this config computes:
forward, backward, norm, clipping, optimizer and averaged weights, on tensors that lie ready; the loop is everything ``fit``
does: order, loader, sigmas, noise, packing, guard and metrics (a line a step) are in it. Latents and conditions are known, as they are from the second epoch on. Both in turns of STEPS
steps on the same batches, the fastest turn of each counts; seconds are wall-clock. ``team``: the loop, with as many
OpenMP threads in the loader as the training has, which is why the loader's threads have one each. The last line is
one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

import configs
from tests.trainer.trainers import open_trainer
from trainer.config import FitConfig
from trainer.data.loader import Prepared
from trainer.loop import Trainer
from trainer.loss import draw_sigma, micro_batch, sample_losses
from trainer.monitor.metrics import Metrics
from trainer.rng import KeyedRandom

CONFIG = Path(__file__).resolve().parents[2] / "configs/train/quickstart.yaml"
START, STEPS, ROUNDS = 300, 25, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=value", help="override a field of the config"
    )
    args = parser.parse_args()
    config = configs.load(CONFIG, FitConfig, ["samples=null", *args.set])
    with tempfile.TemporaryDirectory() as out:
        trainer = open_trainer(config, Path(out), args.dataset)
        prepared = [trainer.loader.prepare(step) for step in range(START, START + STEPS)]
        bare, loop = [], []
        for _ in range(ROUNDS):
            bare.append(bare_steps(trainer, prepared))
            loop.append(looped_steps(trainer))
        threads = torch.get_num_threads()
        alone = partial(ThreadPoolExecutor, initializer=torch.set_num_threads, initargs=(threads,))
        producer = trainer.loader.producer
        producer._batches = alone(1)
        producer.preparers.of(trainer.dataset)._samples = alone(config.loading.threads)
        team = min(looped_steps(trainer) for _ in range(ROUNDS))
    figures = {"threads": threads, "bare_s": min(bare), "loop_s": min(loop), "team_s": team}
    rounded = {name: round(value / (1 if name == "threads" else STEPS), 4) for name, value in figures.items()}
    print(json.dumps({**rounded, "added": round(min(loop) / min(bare) - 1, 4)}))


def bare_steps(trainer: Trainer, batches: Sequence[Prepared]) -> float:
    """Seconds of the bare steps; noise is drawn before."""
    config, device = trainer.config, trainer.world.device
    ready = []
    for prepared in batches:
        rng = KeyedRandom(config.seed, prepared.batch.step, len(prepared.batch.rows))
        sigma = draw_sigma(rng, prepared.batch.target_tokens, config.objective, trainer.schedule)
        parts = [[prepared.samples[s] for s in slots] for slots in prepared.slots]
        ready.append(
            [micro_batch(p, s, sigma, rng, device, trainer.product) for p, s in zip(parts, prepared.slots, strict=True)]
        )
    begun = time.perf_counter()
    for micros in ready:
        for micro in micros:
            (sample_losses(trainer.network.call, micro, trainer.autocast).sum() / len(micro.slots)).backward()
        trained = [p for p in trainer.model.parameters() if p.requires_grad]
        clip_grad_norm_(trained, config.optimizer.clip)
        trainer.optimizer.step()
        trainer.optimizer.zero_grad(set_to_none=True)
        trainer.average.update(trainer.model, START)
    return time.perf_counter() - begun


def looped_steps(trainer: Trainer) -> float:
    """Seconds of the same steps as ``fit`` takes them, from the loader to the line of metrics."""
    batches = trainer.loader.batches(START)
    with contextlib.closing(Metrics(trainer.out, START, trainer.config.monitor)) as metrics:
        begun = time.perf_counter()
        for _ in range(STEPS):
            metrics.write(trainer.step(next(batches))[0])
        return time.perf_counter() - begun


if __name__ == "__main__":
    main()
