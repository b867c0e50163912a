"""dataset/: shards and manifest, brought up to date with what the run decides now.

                        shards are as they would be packed ──> a new manifest over them
    decide_run ─> kept ─┤
                        they are not, or there are none ──> new shards on Ray ──> manifest

dataset.json is removed first and written last: a killed process leaves a dataset that says it is
unfinished, never half of one that looks whole.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs import UserError, digest, to_plain
from pipeline import cluster, schema
from pipeline.dataset import INDEX, Dataset
from pipeline.decide.run import Decisions, decide_run, decisions_key, write_decisions
from pipeline.pack.manifest import finish, packed_rows, write_manifests
from pipeline.pack.shards import Shard, ShardWriter, plan_shards
from pipeline.progress import progress
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import own_columns, scored_by
from pipeline.store.timing import timed

if TYPE_CHECKING:
    from pipeline.config import PipelineConfig


def publish(run: RunFolder, config: PipelineConfig) -> Dataset:
    """Decide, and bring dataset/ up to date, packing where that is needed; does nothing where it is up to date."""
    key = decisions_key(run, config)
    there = _there(run.dataset)
    if there and there.about.get("key") == key and not there.damage():
        return there
    with timed(run, "decide and pack"):
        decisions = decide_run(run, config)
        write_decisions(run, decisions, key)
        shards = plan_shards(decisions.kept, config.pack)
        packing = _packing_key(shards, config)
        if not there or there.about.get("packing") != packing or there.damage("data/"):
            pack(run, config, shards, key)
        index(run, config, decisions, key, packing)
    return Dataset.open(run.dataset)


def redecide(run: RunFolder, config: PipelineConfig) -> Decisions:
    """New decisions and a new manifest over the same shards. Raises UserError when they lack kept rows."""
    decisions = decide_run(run, config)
    lacking = len(set(decisions.kept["id"]) - set(packed_rows(run.dataset / "data")["id"].to_pylist()))
    if lacking:
        raise UserError(
            f"{run.dataset}: the shards lack {lacking:,} of {len(decisions.kept):,} rows that would now be kept; "
            f"nothing was changed; pack again, with the same --set: python -m pipeline pack {run.path}"
        )
    key = decisions_key(run, config)
    there = _there(run.dataset)
    packing = there.about.get("packing") if there else None
    write_decisions(run, decisions, key)
    if packing != _packing_key(plan_shards(decisions.kept, config.pack), config):
        key += " over other shards"  # another key than `run` and `pack` compute: they will pack anew
    index(run, config, decisions, key, packing)
    return decisions


def _packing_key(shards: Sequence[Shard], config: PipelineConfig) -> str:
    """Identity of what the shards hold: which rows in which groups, which columns, and the caption rules whose verdicts
    they carry."""
    rules = [schema.SCHEMA_VERSION, to_plain(config)["captions"]]
    found = hashlib.sha256(json.dumps(rules, sort_keys=True).encode())
    for shard in shards:
        found.update(json.dumps([shard.name, shard.groups]).encode())
    return found.hexdigest()


def pack(run: RunFolder, config: PipelineConfig, shards: Sequence[Shard], key: str) -> None:
    """Write new shards. Finished ones of a killed pack are kept if they hold the same rows."""
    folder = run.path / f"packing-{key[:16]}"
    for other in run.path.glob("packing-*"):
        if other != folder:
            shutil.rmtree(other)
    rows = {shard.name: sum(len(group) for group in shard.groups) for shard in shards}
    left = [shard for shard in shards if not (folder / shard.name).exists()]
    if left:
        cluster.connect(config.cluster)
        with progress("pack", sum(rows[shard.name] for shard in left)) as counter:
            worker = (run, folder, config.captions)
            for shard in cluster.each(left, "pack", ShardWriter, worker, config.cluster, cpus=0.95):
                counter.add(rows[shard.name])
    _unfinish(run.dataset)
    shutil.rmtree(run.dataset / "data", ignore_errors=True)
    folder.mkdir(exist_ok=True)  # where nothing was kept, the dataset is complete with no shards
    folder.rename(run.dataset / "data")


def index(
    run: RunFolder, config: PipelineConfig, decisions: Decisions, key: str, packing: str | None = None
) -> dict[str, Any]:
    """Write manifest/, the card and dataset.json over the shards that are there; ``packing``: the key they were packed for."""
    _unfinish(run.dataset)
    shutil.rmtree(run.dataset / "manifest", ignore_errors=True)
    (run.dataset / "manifest").mkdir()
    places = packed_rows(run.dataset / "data")
    write_manifests(run.dataset / "manifest", decisions.kept, places, scored_by(run), own_columns(run))
    about = {"key": key, "config_digest": digest(to_plain(config)), "packing": packing}
    return finish(run.dataset, about, decisions.kept)


def _there(dataset: Path) -> Dataset | None:
    return Dataset.read_index(dataset) if (dataset / INDEX).exists() else None


def _unfinish(dataset: Path) -> None:
    dataset.mkdir(parents=True, exist_ok=True)
    (dataset / INDEX).unlink(missing_ok=True)
