"""The indices of a folder of encodings: which numbers lie where in which shard, and its checksum.

    datasets/NAME.parquet          rows of shard.INDEX; metadata: the dataset that it is complete for

``mend`` takes out what is damaged. An index that has lost shards names no dataset any more, until it is made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs import RunFailed
from configs.files import replaced
from pipeline.progress import Counter, progress
from trainer.data.producers.shard import DTYPES, INDEX, read_shard
from trainer.data.producers.sums import check, damaged, note

_DIGEST = b"dataset"


def indices(folder: Path) -> list[Path]:
    return sorted((folder / "datasets").glob("*.parquet"))


def index_path(folder: Path, name: str) -> Path:
    return folder / "datasets" / f"{name}.parquet"


def write_index(path: Path, parts: Iterable[pa.Table], dataset: str) -> pa.Table:
    """Write ``parts`` as one, sorted by key, and return it. ``dataset``: digest of what it is complete for; empty: nothing."""
    index = pa.concat_tables([INDEX.empty_table(), *parts]).sort_by("key")
    index = index.replace_schema_metadata({_DIGEST: dataset.encode()})
    with replaced(path) as temporary:
        pq.write_table(index, temporary, compression="zstd", use_dictionary=["file", "dtype"])
        note(path, temporary)
    return index


def read_index(path: Path) -> tuple[pa.Table, str]:
    """(rows of INDEX, digest of the dataset that they are complete for, or an empty one). Raises RunFailed for a damaged
    file."""
    try:
        check(path)
        table = pq.read_table(path)
        digest = (table.schema.metadata or {}).get(_DIGEST, b"").decode()
        if "crc32" not in table.column_names:
            table = table.append_column("crc32", pa.nulls(len(table), pa.uint32()))
        return _sound(table.select(INDEX.names).cast(INDEX)), digest
    except (pa.ArrowException, OSError, ValueError, LookupError, MemoryError) as error:
        raise damaged(path, str(error)) from None


def _sound(index: pa.Table) -> pa.Table:
    """Raises ValueError for what no index can say: one of an earlier version has nothing else to know it by."""
    index.validate(full=True)
    if any(index[name].null_count for name in INDEX.names if name != "crc32"):
        raise ValueError("a value is missing")
    sizes = pc.index_in(index["dtype"], pa.array(list(DTYPES)))
    if sizes.null_count:
        raise ValueError("another dtype than there are")
    each = pc.take(pa.array([dtype.itemsize for dtype in DTYPES.values()], pa.int64()), sizes)
    numbers = pc.multiply(pc.cast(index["tokens"], pa.int64()), pc.cast(index["channels"], pa.int64()))
    if not pc.all(pc.equal(pc.multiply(numbers, each), index["length"])).as_py() and len(index):
        raise ValueError("another number of bytes than its shapes have")
    return index


def has_lost(folder: Path) -> bool:
    """Whether an index in ``folder`` has lost shards: others may have left to them what they need themselves."""
    return not all(digest for _, digest in map(read_index, indices(folder)))


def unchecked(folder: Path) -> int:
    """How many numbers in ``folder`` have no checksum."""
    return sum(read_index(path)[0]["crc32"].null_count for path in indices(folder))


def mend(folder: Path, own: Path) -> list[str]:
    """Read all that is encoded in ``folder``, remove what is damaged, and tell it. ``own``: the index that is about to be
    made or is there; it is removed where it can be complete no more."""
    if not indices(folder):
        return []
    with progress("check", len(list((folder / "shards").glob("*.parquet"))), "shards") as counter:
        found = {path: list(_damage(folder, path, counter)) for path in indices(folder)}
    bad = {path: damages for path, damages in found.items() if damages}
    if bad:
        own.unlink(missing_ok=True)  # first: whatever ends this, it is not taken for complete
    for path, damages in bad.items():
        for damage in damages:
            if damage.shard:
                damage.shard.unlink(missing_ok=True)
        whole = list(_whole(sorted((folder / "shards").glob(f"{path.stem}-*.parquet"))))
        if path != own:
            write_index(path, whole, dataset="")
    return [damage.line for damages in bad.values() for damage in damages]


@dataclass(frozen=True)
class _Damage:
    """``shard``: where it is one; None for an index."""

    line: str
    shard: Path | None


def _damage(folder: Path, path: Path, counter: Counter) -> Iterator[_Damage]:
    """What is wrong with an index and with the shards that it names."""
    try:
        index, _ = read_index(path)
    except RunFailed as error:
        yield _Damage(str(error).partition("; ")[0], None)
        return
    for name in pc.unique(index["file"]).to_pylist():
        shard = folder / "shards" / name
        try:
            there = read_shard(shard).index
            if there.sort_by("key") != index.filter(pc.equal(index["file"], name)).sort_by("key"):
                yield _Damage(f"{shard}: holds other than its index says", shard)
        except RunFailed as error:
            yield _Damage(str(error).partition("; ")[0], shard)
        counter.add(1)


def _whole(shards: Iterable[Path]) -> Iterator[pa.Table]:
    """What is in those that can be read; the others are removed."""
    for path in shards:
        try:
            yield read_shard(path).index
        except RunFailed:
            path.unlink(missing_ok=True)
