"""Samples a second of our Loader, mosaicml-streaming and WebDataset, on the same pictures with the same transforms.

    python tests/benchmarks/loader.py DATASET --packages FOLDER

DATASET is a packed one with captions, such as ``python -m synth render configs/synth/scene.yaml DATASET --count 400``. FOLDER is
the site-packages of another environment with the two others (``pip install mosaicml-streaming webdataset``), which
are compared where they can be imported; torch and Pillow are ours for all three.

Each gives whole uint8 tensors of every picture at the size of its bucket: stored bytes, ``decode``, ``resize_to_cover``.
Ours gives them in the order of the training, exactly; the others in their own shuffle. They run in this process and with
a worker for each core; the faster counts. Encoders are left out: ours gives back the pixels. Rounds by turns, of
which each one's fastest counts; the files lie in the system's cache. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from configs.pictures import Limits, decode
from pipeline.dataset import Dataset
from tests.trainer.data.pixels import Work
from trainer.config import FitConfig
from trainer.data.config import LoadingConfig
from trainer.data.loader import InProcess, Loader
from trainer.data.resize import resize_to_cover
from trainer.order.curriculum import Phase
from trainer.order.index import read_index
from trainer.order.order import Order

RESOLUTION, BATCH, ROUNDS, SAMPLES = 256, 16, 3, 2000
CORES = os.cpu_count() or 1


class Pixels:
    """Implements ``trainer.tasks.base.Encoder``: gives back what it is shown, keeps nothing."""

    def holds(self, key: Any) -> bool:
        return False

    def latents(self, key: Any, pixels: Callable[[], np.ndarray]) -> Tensor:
        return torch.from_numpy(np.array(pixels()))

    def take_lacking(self) -> int:
        return 0

    def text(self, prompt: str) -> Tensor:
        return torch.zeros(1, 1)

    def text_with_pictures(self, key: Any, prompt: str, pictures: Any, area: int | None) -> Tensor:
        return torch.zeros(1, 1)


class Transform:
    """Bytes of a stored picture and its row to the tensor that training takes."""

    def __init__(self, buckets: dict[int, tuple[tuple[int, int], list[int]]]) -> None:
        self.buckets = buckets

    def __call__(self, row: int, data: bytes) -> Tensor:
        bucket, keep = self.buckets[row]
        return torch.from_numpy(np.array(resize_to_cover(decode(data, Limits()), bucket, keep)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--packages", type=Path, help="site-packages with streaming and webdataset")
    args = parser.parse_args()
    if args.packages:
        sys.path.append(str(args.packages))
    torch.set_num_threads(1)
    dataset = Dataset.open(args.dataset)
    phase = Phase("all", 10_000, (RESOLUTION,), "width > 0", BATCH * (RESOLUTION // 16) ** 2, upscale=8)
    config = FitConfig((phase,), loading=LoadingConfig(threads=max(2, CORES)))
    order = Order(read_index(dataset, config.phases), config.phases, 0)
    with tempfile.TemporaryDirectory() as folder:
        runs = {"ours": lambda: ours(config, dataset, order), **others(Path(folder), dataset, Transform(sizes(order)))}
        best = dict.fromkeys(runs, 0.0)
        for _ in range(ROUNDS):
            for name, run in runs.items():
                best[name] = max(best[name], rate(run()))
    report(best)


def sizes(order: Order) -> dict[int, tuple[tuple[int, int], list[int]]]:
    """Bucket and box to keep of every row, as the order has them."""
    batches = [order.batch(step) for step in range(4 * order.phases[0].rows // BATCH)]
    return {
        int(row): ((int(bucket[0]), int(bucket[1])), keep.tolist())
        for batch in batches
        for row, bucket, keep in zip(batch.rows, batch.buckets, batch.keeps, strict=True)
    }


def rate(batches: Iterable[Sequence[Tensor]]) -> float:
    """Samples a second, from before the first batch."""
    begun, count = time.perf_counter(), 0
    for batch in batches:
        count += len(batch)
        if count >= SAMPLES:
            break
    return count / (time.perf_counter() - begun)


def ours(config: FitConfig, dataset: Dataset, order: Order) -> Iterable[list[Tensor]]:
    loader = Loader(config, dataset, order, InProcess(config, Work(Pixels())), lambda image, text: image + text)
    for prepared in loader.batches(0):
        yield [sample.images[0] for sample in prepared.samples.values()]


def others(folder: Path, dataset: Dataset, transform: Transform) -> dict[str, Callable[[], Iterable[Any]]]:
    """The two others by name and number of workers, of those that can be imported."""
    rows = sorted(transform.buckets)
    pictures = [(row, found.image) for row, found in zip(rows, dataset.read_pictures(rows), strict=True)]
    runs: dict[str, Callable[[], Iterable[Any]]] = {}
    for name, make in (("streaming", _streaming), ("webdataset", _webdataset)):
        try:
            of = make(folder / name, pictures, transform)
        except ImportError as error:
            print(
                f"{name}: left out ({error}); pip install mosaicml-streaming webdataset elsewhere, and give --packages"
            )
            continue
        for workers in (0, CORES):
            runs[f"{name}, {workers} workers"] = lambda of=of, workers=workers: of(workers)
    return runs


def _streaming(folder: Path, pictures: list[tuple[int, bytes]], transform: Transform) -> Callable[[int], Iterable[Any]]:
    import streaming

    with streaming.MDSWriter(out=str(folder), columns={"row": "int", "image": "bytes"}) as writer:
        for row, data in pictures:
            writer.write({"row": row, "image": data})

    class Pictures(streaming.StreamingDataset):
        def __getitem__(self, at: int) -> Tensor:
            sample = super().__getitem__(at)
            return transform(sample["row"], sample["image"])

    def run(workers: int) -> Iterable[Any]:
        streaming.base.util.clean_stale_shared_memory()
        found = Pictures(local=str(folder), shuffle=True, batch_size=BATCH)
        for _ in range(1 + SAMPLES // len(pictures)):
            yield from DataLoader(found, BATCH, num_workers=workers, collate_fn=list)

    return run


def _webdataset(
    folder: Path, pictures: list[tuple[int, bytes]], transform: Transform
) -> Callable[[int], Iterable[Any]]:
    import webdataset

    folder.mkdir()
    for number in range(4):
        with tarfile.open(folder / f"{number}.tar", "w") as tar:
            for row, data in pictures[number::4]:
                info = tarfile.TarInfo(f"{row:09d}.image")
                info.size = len(data)
                tar.addfile(info, BytesIO(data))

    def run(workers: int) -> Iterable[Any]:
        found = webdataset.WebDataset(str(folder / "{0..3}.tar"), shardshuffle=4).shuffle(1000)
        found = found.map(lambda sample: transform(int(sample["__key__"]), sample["image"]))
        for _ in range(1 + SAMPLES // len(pictures)):
            yield from DataLoader(found, BATCH, num_workers=workers, collate_fn=list)

    return run


def report(best: dict[str, float]) -> None:
    figures: dict[str, Any] = {
        "cores": CORES,
        **{f"{name}, samples/s": round(found, 1) for name, found in best.items()},
    }
    for name in ("streaming", "webdataset"):
        theirs = [found for key, found in best.items() if key.startswith(name)]
        if theirs:
            figures[f"over {name}"] = round(best["ours"] / max(theirs), 2)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
