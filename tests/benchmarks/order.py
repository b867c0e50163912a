"""Planning a hundred million rows, and the batch of a step: ``python -m tests.benchmarks.order [--rows N]``.

A manifest of the form that pack writes is made on disk by another process: 72 % real pictures of 20,000 sizes, a fifth of
them with text, 24 % renderings, 4 % edit pairs. Then this process reads its index, sorts it for the curriculum of
configs/train/pretrain.yaml, and makes batches of all phases. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs import load
from pipeline import schema
from pipeline.dataset import INDEX, Dataset
from trainer.config import FitConfig
from trainer.order.index import read_index
from trainer.order.order import Order

_FILE = 1_000_000
"""Rows of a manifest file (chosen: a few hundred shards' worth, so that opening files is not what is measured)."""
_NAMES = ("width", "height", "task", "repeats", "recipe", "text_level", "n_captions", *schema.TRAINABLE)
_COLUMNS = (*_NAMES, "ref_sizes", "stage_from", "stage_to")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--steps", type=int, default=400, help="batches that are timed")
    parser.add_argument("--make", type=Path, help="only write the manifest, into this folder")
    arguments = parser.parse_args()
    if arguments.make:
        _make(arguments.make, arguments.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.order", "--rows", str(arguments.rows), "--make", folder]
        subprocess.run(command, check=True)
        print(json.dumps(_measure(Dataset.open(folder), arguments.rows, arguments.steps)))


def _measure(dataset: Dataset, rows: int, steps: int) -> dict[str, float]:
    config = load("configs/train/pretrain.yaml", FitConfig)
    start, spent = time.perf_counter(), time.process_time()
    index = read_index(dataset, config.phases)
    read = time.perf_counter() - start
    order = Order(index, config.phases, config.seed)
    planned, cpu = time.perf_counter() - start, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds, samples = [], []
    for step in np.linspace(0, order.steps - 1, steps).astype(int).tolist():
        begun = time.perf_counter()
        batch = order.batch(step)
        seconds.append(time.perf_counter() - begun)
        samples.append(len(batch.rows))
    return {
        "rows": rows,
        "phases": len(order.phases),
        "strata": sum(len(phase.strata) for phase in order.phases),
        "read_s": round(read, 1),
        "planned_s": round(planned, 1),
        "cpu_s": round(cpu, 1),
        "peak_gb": round(peak / 1e9, 2),
        "index_gb": round(index.nbytes / 1e9, 2),
        "samples": float(np.median(samples)),
        "batch_ms_median": round(float(np.median(seconds)) * 1e3, 2),
        "batch_ms_p95": round(float(np.quantile(seconds, 0.95)) * 1e3, 2),
    }


def _make(folder: Path, rows: int) -> None:
    (folder / "manifest").mkdir()
    arrow = schema.arrow(_COLUMNS)
    rng = np.random.default_rng(0)
    sizes = rng.integers(256, 2400, (20_000, 2))
    for number, start in enumerate(range(0, rows, _FILE)):
        table = _part(rng, min(_FILE, rows - start), sizes).cast(arrow)
        pq.write_table(table, folder / "manifest" / f"{number:05d}.parquet", compression="zstd")
    (folder / INDEX).write_text(json.dumps({"schema_version": schema.SCHEMA_VERSION, "digest": "0", "rows": rows}))


def _part(rng: np.random.Generator, n: int, sizes: np.ndarray) -> pa.Table:
    kind = rng.choice(4, n, p=[0.576, 0.144, 0.24, 0.04])  # real, real with text, rendered, edit
    drawn = np.array([[256, 256], [320, 208], [208, 320], [512, 512], [640, 640]])[rng.integers(0, 5, n)]
    size = np.where((kind < 2)[:, None], sizes[rng.integers(0, len(sizes), n)], drawn)
    level = np.where(kind == 0, 0, rng.integers(1, 5, n))
    quoted = ((kind == 1) & (rng.random(n) < 0.5)) | (kind == 2)
    box = np.stack([size // 4, size // 2], axis=1).reshape(n, 4)
    none = pa.array([None] * n, pa.string())
    return pa.table(
        {
            "width": size[:, 0],
            "height": size[:, 1],
            "task": np.array(["t2i", "ti2i"])[(kind == 3).astype(int)],
            "repeats": np.where(level == 0, 1.0, rng.uniform(0.25, 4.0, n)),
            "recipe": pa.array(np.array(["pure", "scene"])[rng.integers(0, 2, n)], mask=kind < 2) if n else none,
            "text_level": level,
            "n_captions": np.where(kind == 3, 0, 1 + (rng.random(n) < 0.3)),
            "n_instructions": (kind == 3).astype(int),
            "text_tokens": rng.integers(12, 300, n),
            "quoted_box": _lists(box, quoted),
            "ref_sizes": _lists(size, kind == 3),
            "stage_from": np.where(kind < 2, 1, 4),
            "stage_to": np.minimum(7, rng.geometric(0.15, n)) if n else np.zeros(0, int),
        }
    ).select(_COLUMNS)


def _lists(values: np.ndarray, there: np.ndarray) -> pa.Array:
    """A list of each row's values where it is ``there``, else null."""
    offsets = np.concatenate([[0], np.cumsum(there * values.shape[1])]).astype(np.int32)
    flat = pa.array(values[there].reshape(-1).astype(np.int32))
    return pa.ListArray.from_arrays(pa.array(offsets), flat, mask=pa.array(~there))


if __name__ == "__main__":
    main()
