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
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs import UserError, digest, to_plain
from configs.files import remove_files, remove_tree, replace_text
from configs.storage.spans import each
from pipeline import cluster, schema
from pipeline.dataset import INDEX, Dataset
from pipeline.decide.contamination import Evaluation
from pipeline.decide.run import NUMBER, Decisions, decide_run, decisions_key, generation_of, places, write_decisions
from pipeline.pack.manifest import finish, packed_rows, write_manifests
from pipeline.pack.notes import Notes, remove_notes
from pipeline.pack.shards import Shard, ShardWriter, plan_shards, shard_schema
from pipeline.parquet import read_schema
from pipeline.progress import progress
from pipeline.store.compact import Compacted
from pipeline.store.run_folder import RunFolder
from pipeline.store.timing import timed

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from pipeline.config import PipelineConfig

_RECAPTIONS = "recaptions"
"""They are read where they lack in shards: training wants them."""
_ROWS = 1 << 19
"""Rows of a dataset whose manifests are made at once; chosen: about half a gigabyte."""


def publish(run: RunFolder, config: PipelineConfig) -> Dataset:
    """Decide, and bring dataset/ up to date, packing where that is needed; does nothing where it is up to date."""
    compacted, evaluation = Compacted(run), Evaluation(config.decontaminate)
    key = decisions_key(run, config, compacted, evaluation)
    there = _there(run.dataset)
    if there and there.about.get("key") == key and not there.damage():
        return there
    with timed(run, "decide and pack"):
        decisions = decide_run(run, config, compacted=compacted, evaluation=evaluation)
        write_decisions(run, decisions, key)
        shards = plan(run, config, decisions)
        packing = _packing_key(shards, config, decisions.compacted)
        if not there or there.about.get("packing") != packing or there.damage("data/"):
            pack(run, config, shards, key, decisions.compacted)
            packing = _packing_key(shards, config, decisions.compacted)  # of the columns that they have now
        index(run, config, decisions, key, packing)
    return Dataset.open(run.dataset)


def redecide(run: RunFolder, config: PipelineConfig, compacted: Compacted | None = None) -> Decisions:
    """New decisions and a new manifest over the same shards. ``compacted``: of the run as it is now,
    where it is known.

    Raises UserError when the shards lack kept rows.
    """
    evaluation = Evaluation(config.decontaminate)
    decisions = decide_run(run, config, compacted=compacted, evaluation=evaluation)
    lacking = _lacking(run, decisions)
    if lacking:
        raise UserError(
            f"{run.dataset}: the shards lack {lacking:,} of {len(decisions.kept):,} rows that would now be kept; "
            f"nothing was changed; pack again, with the same --set: python -m pipeline pack {run.path}"
        )
    key = decisions_key(run, config, decisions.compacted, evaluation)
    there = _there(run.dataset)
    packing = there.about.get("packing") if there else None
    write_decisions(run, decisions, key)
    if packing != _packing_key(plan(run, config, decisions), config, decisions.compacted):
        key += " over other shards"  # another key than `run` and `pack` compute: they will pack anew
    index(run, config, decisions, key, packing)
    return decisions


def _lacking(run: RunFolder, decisions: Decisions) -> int:
    """How many kept rows no shard holds."""
    import polars as pl

    held = pl.DataFrame(packed_rows(run.dataset / "data", ["id"]))
    return len(decisions.kept.select("id").join(held, on="id", how="anti"))


def plan(run: RunFolder, config: PipelineConfig, decisions: Decisions) -> list[Shard]:
    """Shards for what is kept, those of each addition to the run by themselves. They are cut as if removed rows were
    still there, and then lack them, so that an addition or a removal leaves the others as they are."""
    import polars as pl

    later = generation_of(run).alias("generation")
    rows = pl.concat([decisions.kept, decisions.gone], how="diagonal").with_columns(later)
    rows = rows.sort("generation", NUMBER)
    gone = set(places(decisions.gone))
    shards: list[Shard] = []
    for part in rows.partition_by("generation", maintain_order=True) if len(rows) else ():
        shards += plan_shards(part, config.pack, len(shards))
    return [left for shard in shards if (left := shard.without(gone)).groups]


class _Identity:
    """Of what shards hold: which rows in which groups, what is known in ``columns`` of the parts that those come from, the
    versions of the annotators that filled them, a captioner's captions, and the rules whose verdicts captions carry.
    An annotator whose state is not among ``columns`` came later: what it fills does not count."""

    def __init__(self, config: PipelineConfig, compacted: Compacted, columns: Collection[str]) -> None:
        versions = {n: v for n, v in compacted.versions().items() if schema.state_column(n) in columns}
        self._same = json.dumps([schema.SCHEMA_VERSION, to_plain(config)["captions"], versions], sort_keys=True)
        filled = {column for name in versions for column in compacted.schemas[name].names}
        counted = {_RECAPTIONS} | ({*schema.COLLECTED, *filled} & {*columns})
        self._known: dict[str, str] = {}
        for part in compacted.parts:
            told = {name: value for name, value in compacted.digests(part).items() if name in counted}
            self._known |= dict.fromkeys(part.fragments, f"{part.name} {digest(told)}")

    def of(self, shards: Sequence[Shard]) -> str:
        found = hashlib.sha256(self._same.encode())
        for shard in shards:
            known = sorted({self._known[fragment] for group in shard.groups for fragment, _ in group})
            found.update(json.dumps([shard.name, shard.groups, known]).encode())
        return found.hexdigest()


def _packing_key(shards: Sequence[Shard], config: PipelineConfig, compacted: Compacted) -> str:
    """Identity of ``shards`` with the columns of those that are there, with all where there are none."""
    there = min(_packed(compacted.run), default=None)
    return _Identity(config, compacted, _columns(compacted, there)).of(shards)


def pack(run: RunFolder, config: PipelineConfig, shards: Sequence[Shard], key: str, compacted: Compacted) -> None:
    """Write the shards that are not there as they would be packed. Finished ones of a killed pack are kept if they hold
    the same rows."""
    folder = run.path / f"packing-{key[:16]}"
    for other in run.path.glob("packing-*"):
        if other != folder:
            remove_tree(other)
    rows = {shard.name: sum(len(group) for group in shard.groups) for shard in shards}
    noted = _packed(run)
    columns = _columns(compacted, min(noted, default=None))
    keys = _keys(shards, config, compacted, columns)
    stay = {name for name, about in noted.items() if about["key"] == keys.get(name)}
    if stay:
        _tell_lacking(compacted, columns)
    else:  # all of them are written: with all columns
        columns = _columns(compacted, None)
        keys = _keys(shards, config, compacted, columns)
    written = {path.name for path in folder.glob("[!.]*.parquet")}
    left = [shard for shard in shards if shard.name not in stay and shard.name not in written]
    if left:
        cluster.prepare(len(left), config.cluster)
        with progress("pack", sum(rows[shard.name] for shard in left)) as counter:
            worker = (run, folder, config.captions, columns)
            for shard in cluster.each(left, "pack", ShardWriter, worker, config.cluster, cpus=0.95):
                counter.add(rows[shard.name])
    _unfinish(run.dataset)
    _exchange(run, folder, stay, keys)


def _keys(
    shards: Sequence[Shard], config: PipelineConfig, compacted: Compacted, columns: Sequence[str]
) -> dict[str, str]:
    identity = _Identity(config, compacted, columns)
    return {shard.name: identity.of([shard]) for shard in shards}


def _columns(compacted: Compacted, like: str | None) -> list[str]:
    """Of all shards, for readers want the same in every file: those that the shard ``like`` has; None: all."""
    columns = shard_schema(compacted).names
    there = set(read_schema(compacted.run.dataset / "data" / like).names if like else columns)
    return [name for name in columns if name in there]


def _tell_lacking(compacted: Compacted, columns: Sequence[str]) -> None:
    """Say what an annotator that came later would add to ``columns``."""
    if lacking := [name for name in shard_schema(compacted).names if name not in columns]:
        print(
            f"the shards keep the columns that they were begun with; in the manifest alone, as far as it takes them: "
            f"{', '.join(lacking)}; where {compacted.run.dataset} is removed, pack writes all of them",
            flush=True,
        )


def _exchange(run: RunFolder, folder: Path, stay: Collection[str], keys: Mapping[str, str]) -> None:
    """The new shards in ``folder`` join those that ``stay``; all others go. What packed.json says is there at any time."""
    data = run.dataset / "data"
    data.mkdir(exist_ok=True)
    _note_packed(run, {name: keys[name] for name in stay})
    gone = [path for path in data.iterdir() if path.name not in stay]
    remove_files(gone)
    list(each(lambda path: path.rename(data / path.name), sorted(folder.glob("[!.]*.parquet")), data))
    _note_packed(run, keys)
    remove_notes(run.dataset, keys)
    remove_tree(folder)


def _packed(run: RunFolder) -> dict[str, dict[str, Any]]:
    """Shard -> the key it was packed for and its size; only those that are there in this size."""
    if not run.packed.exists():
        return {}
    noted = json.loads(run.packed.read_text(encoding="utf-8"))
    there = _sizes(run)
    return {name: about for name, about in noted.items() if there.get(name) == about["bytes"]}


def _note_packed(run: RunFolder, keys: Mapping[str, str]) -> None:
    there = _sizes(run)
    noted = {name: {"key": key, "bytes": there[name]} for name, key in sorted(keys.items())}
    replace_text(run.packed, json.dumps(noted, indent=1) + "\n")


def _sizes(run: RunFolder) -> dict[str, int]:
    """Bytes of the shards that are there, by name."""
    return {path.name: path.stat().st_size for path in (run.dataset / "data").glob("[!.]*.parquet")}


def index(
    run: RunFolder, config: PipelineConfig, decisions: Decisions, key: str, packing: str | None = None
) -> dict[str, Any]:
    """Write manifest/, the card and dataset.json over the shards that are there; ``packing``: the key they were packed for."""
    _unfinish(run.dataset)
    remove_tree(run.dataset / "manifest")
    (run.dataset / "manifest").mkdir()
    manifests: dict[str, str] = {}
    notes = Notes(run.dataset / "data")
    together = notes.portions(_ROWS)
    for shards in together:
        places = notes.read(shards=shards)
        if len(shards) > 1:
            notes.join(shards, places)
        manifests |= write_manifests(
            run.dataset / "manifest",
            _scalars_of(decisions, places),
            places,
            decisions.compacted.annotators,
            decisions.compacted.own,
        )
    notes.remove_joined([shards for shards in together if len(shards) > 1])
    about = {"key": key, "config_digest": digest(to_plain(config)), "packing": packing}
    return finish(run.dataset, about, decisions.kept, manifests)


def _scalars_of(decisions: Decisions, places: pa.Table) -> pl.DataFrame:
    """Kept rows that ``places`` have, with all their scalars."""
    import polars as pl

    mine = decisions.kept.join(pl.DataFrame(places.select(["id"])), on="id", how="semi", maintain_order="left")
    return decisions.with_scalars(mine, [n for n in decisions.compacted.schema.names if n not in mine.columns])


def _there(dataset: Path) -> Dataset | None:
    return Dataset.read_index(dataset) if (dataset / INDEX).exists() else None


def _unfinish(dataset: Path) -> None:
    dataset.mkdir(parents=True, exist_ok=True)
    (dataset / INDEX).unlink(missing_ok=True)
