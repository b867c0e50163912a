"""A training step while the loader prepares the next: ``python tests/benchmarks/train_step.py DATASET``.

DATASET is that of the quickstart (``runs/quickstart/dataset``). The loader's thread as it is (``own``:
torch does not spread in it) and with as many OpenMP threads as the training has (``team``), in fresh
processes by turns, because a second team stays. Seconds are wall-clock, of the median warm step; of
the rounds the fastest counts. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

import configs
from pipeline.dataset import Dataset
from trainer.config import FitConfig
from trainer.fit import Trainer
from trainer.order.index import read_index
from trainer.order.order import Order

CONFIG = Path(__file__).resolve().parents[2] / "configs/train/quickstart.yaml"
START, STEPS, ROUNDS = 300, 25, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--only", choices=("own", "team"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(median_step(args.dataset, args.only == "team"))
        return
    seconds: dict[str, list[float]] = {"own": [], "team": []}
    for _ in range(ROUNDS):
        for name, found in seconds.items():
            command = [sys.executable, __file__, str(args.dataset), "--only", name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(float(done.stdout.split()[-1]))
    own, team = (min(found) for found in seconds.values())
    figures = {"threads": torch.get_num_threads(), "own_s": round(own, 4), "team_s": round(team, 4)}
    print(json.dumps({**figures, "team_over_own": round(team / own, 2)}))


def median_step(path: Path, team: bool) -> float:
    """Seconds of a step once every latent and condition is known."""
    config = configs.load(CONFIG, FitConfig)
    dataset = Dataset.open(path)
    order = Order(read_index(dataset, config.phases), config.phases, config.seed)
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(config, Path(out), dataset, order)
        if team:
            threads = torch.get_num_threads()
            trainer.loader.producer._pool = ThreadPoolExecutor(
                1, initializer=torch.set_num_threads, initargs=(threads,)
            )
        seconds: list[float] = []
        for _ in range(2):  # the second time over the same steps is the warm one
            batches = trainer.loader.batches(START)
            seconds = [float(trainer.step(next(batches))["seconds"]) for _ in range(STEPS)]
        return statistics.median(seconds)


if __name__ == "__main__":
    main()
