"""``python -m trainer encode CONFIG DATASET OUT``: all that a training asks of its encoders, before the training.

    config, dataset ──Order──plan.py──> units ──worker.py on Ray──> OUT/shards/*.parquet ──> OUT/datasets/NAME.parquet

The first shard that is written is the truth: a killed encoding goes on with the units that have none. The index comes
last. Encoding a dataset that has grown adds what is new. Before anything else all that is there is read: what is damaged
is told and made again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

import configs
from configs.files import remove_temporary
from pipeline import cluster
from pipeline.progress import progress
from pipeline.store.lock import RunLock
from trainer.base import Base
from trainer.config import FitConfig
from trainer.data.folder import Data, open_data
from trainer.data.producers.digest import encoder_digests
from trainer.data.producers.indices import index_path, mend, write_index
from trainer.data.producers.plan import Unit, plan_units
from trainer.data.producers.store import claim
from trainer.data.producers.worker import EncodedUnit, UnitEncoder
from trainer.setup import open_order
from trainer.start import Start

_NAMED = 5
"""Pictures that cannot be decoded and are named; all of them are in the shards."""


@dataclass
class _Sum:
    """What came of all units."""

    entries: int = 0
    indices: list[pa.Table] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def add(self, done: EncodedUnit) -> None:
        self.entries += done.entries
        self.indices.append(done.index)
        self.failures += done.failures


def encode(config: FitConfig, data: Path, out: Path, wait: bool = False, start: Start | None = None) -> None:
    """Fill ``out`` with what ``config`` needs of the dataset at ``data``; goes on where an earlier call stopped.

    Raises UserError before anything is written, or where ``out`` holds what other encoders made.
    """
    start = start or Start()
    dataset = open_data(data)
    base = Base.find(config, start)
    order = open_order(config, dataset, base)
    with RunLock(out / "lock", wait):
        remove_temporary(out)
        folder = base.folder(out, config.seed)
        digests = encoder_digests(folder, config.max_text_tokens)
        claim(out, digests)
        name = _name(config, dataset, order.steps)
        for line in mend(out, index_path(out, name)):
            print(f"{line}; what this training needs of it is made again", flush=True)
        if index_path(out, name).exists():
            print(f"{out}: encoded already and whole, of dataset {dataset.digest[:12]}")
            return
        units = plan_units([order, order.held_out] if order.held_out else [order], name, config.producers.shard_samples)
        _write_index(out, name, dataset, _encode(config, units, (config, dataset, folder, out, digests)))


def _name(config: FitConfig, dataset: Data, steps: int) -> str:
    """Of everything that says which units there are."""
    plain = configs.to_plain(config)
    asked = [plain[n] for n in ("phases", "seed", "objective", "max_text_tokens", "validation")]
    about = [dataset.digest, steps, asked, config.producers.shard_samples, config.producers.storage]
    return f"{dataset.digest[:12]}-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:8]}"


def _encode(config: FitConfig, units: list[Unit], arguments: tuple[object, ...]) -> _Sum:
    found = _Sum()
    producers = config.producers
    resources = {"cpus": producers.cpus, "gpus": producers.gpus, "workers": producers.count}
    cluster.prepare(len(units), producers.cluster, producers.gpus)
    with progress("encode", sum(len(unit.table) for unit in units), "pictures and texts") as counter:
        for done in cluster.each(units, "encode", UnitEncoder, arguments, producers.cluster, **resources):
            found.add(done)
            if done.damage:
                print(f"{done.damage}; it is made again", flush=True)
            counter.add(done.entries)
    return found


def _write_index(out: Path, name: str, dataset: Data, found: _Sum) -> None:
    index = write_index(index_path(out, name), found.indices, dataset.digest)
    shards = len(pc.unique(index["file"]))
    gigabytes = (pc.sum(index["length"]).as_py() or 0) / 1e9
    print(f"{out}: {len(index):,} latents and conditions new in {shards:,} shards, {gigabytes:.3f} GB")
    for sample, error in found.failures[:_NAMED]:
        print(f"sample {sample} is not encoded: {error}")
    if found.failures:
        more = len(found.failures) - _NAMED
        print(f"{len(found.failures):,} not encoded" + (f", {more:,} of them not named here" if more > 0 else ""))
