"""Damage of any kind in a folder of encodings is told, none is trained on, and what was lost is made again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from configs import RunFailed
from trainer.data.producers.indices import has_lost, index_path, mend, read_index, unchecked, write_index
from trainer.data.producers.shard import Record, Source, read_shard, write_shard
from trainer.data.producers.store import Store

DIGEST = "d" * 64
KEYS = [bytes([number]) * 16 for number in range(6)]


def fill(folder: Path, name: str, keys: list[bytes]) -> Path:
    """A finished index ``name`` of two shards with latents of one size."""
    numbers = np.random.default_rng(len(name)).standard_normal((len(keys), 6)).astype("<f4")
    records = [
        Record(key, Source("latents", ("ab",), (64, 64)), "sample", "fp32", (2, 3), row.tobytes())
        for key, row in zip(keys, numbers, strict=True)
    ]
    paths = [folder / "shards" / f"{name}-target-{n:05d}.parquet" for n in range(2)]
    for path, part in zip(paths, (records[::2], records[1::2]), strict=True):
        write_shard(path, part)
    write_index(index_path(folder, name), [read_shard(path).index for path in paths], DIGEST)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path, "own", KEYS)


def read_all(folder: Path) -> None:
    store = Store(folder)
    for key in KEYS:
        assert store.read(key) is not None


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "shards").glob("own*.parquet"))


def flip(path: Path, at: int, bit: int = 4) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def offset(folder: Path) -> int:
    """Of the first numbers of the first shard."""
    return read_shard(shards(folder)[0]).index["offset"][0].as_py()


def swap(folder: Path) -> None:
    first, second = shards(folder)
    first.rename(folder / "aside")
    second.rename(first)
    (folder / "aside").rename(second)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit of a number": lambda folder: flip(shards(folder)[0], offset(folder) + 5, bit=0),
    "a shard cut short": lambda folder: shards(folder)[0].write_bytes(shards(folder)[0].read_bytes()[:40]),
    "no shard": lambda folder: shards(folder)[0].unlink(),
    "shards swapped": swap,
    "a shard in another's place": lambda folder: shutil.copy(shards(folder)[1], shards(folder)[0]),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_no_damaged_number_is_read_and_what_is_damaged_is_taken_out(folder: Path, damage: str) -> None:
    read_all(folder)
    DAMAGES[damage](folder)
    with pytest.raises(
        RunFailed, match=r"own-target-0000.\.parquet: is damaged .*trainer encode .* makes it again"
    ) as caught:
        read_all(folder)
    assert "\n" not in str(caught.value)
    told = mend(folder, index_path(folder, "own"))
    assert any("own-target-00000.parquet" in line for line in told)
    assert not index_path(folder, "own").exists()  # so that the encoding goes on with what there is not
    assert not shards(folder) or all(read_shard(path) for path in shards(folder))
    assert shards(folder)[:1] != [folder / "shards" / "own-target-00000.parquet"]


def test_a_folder_that_is_whole_stays_as_it_is(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert mend(folder, index_path(folder, "own")) == []
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert unchecked(folder) == 0


def test_any_flipped_bit_of_an_index_or_a_shard_is_seen(folder: Path) -> None:
    for path, read in ((index_path(folder, "own"), read_index), (shards(folder)[0], read_shard)):
        good = path.read_bytes()
        for at in range(0, len(good), 97):
            flip(path, at, bit=at % 8)
            with pytest.raises(RunFailed, match=r"is damaged \(another checksum than was written\)"):
                read(path)
            path.write_bytes(good)


def test_an_index_that_is_damaged_costs_no_shard(folder: Path) -> None:
    flip(index_path(folder, "own"), 100)
    (line,) = mend(folder, index_path(folder, "own"))
    assert "own.parquet: is damaged (another checksum than was written)" in line
    assert len(shards(folder)) == 2


def test_another_dataset_that_has_lost_shards_is_complete_no_more_and_the_own_index_neither(folder: Path) -> None:
    fill(folder, "other", [bytes([n]) * 16 for n in range(10, 16)])
    flip(folder / "shards" / "other-target-00001.parquet", 60)
    assert len(mend(folder, index_path(folder, "own"))) == 1
    table, digest = read_index(index_path(folder, "other"))
    assert (len(table), digest) == (3, "")  # what is whole is known, but no training may take it for all
    assert has_lost(folder)
    assert not index_path(folder, "own").exists()
    assert len(shards(folder)) == 2


def test_an_index_of_before_there_were_checksums_is_read_and_counted(folder: Path) -> None:
    path = index_path(folder, "own")
    old = pq.read_table(path).drop_columns("crc32")
    for file in (path, *shards(folder)):
        file.with_name(file.name + ".crc32").unlink()
    pq.write_table(old, path)
    assert unchecked(folder) == len(KEYS)
    assert all(Store(folder).read(key) is not None for key in KEYS)
    assert mend(folder, path) == []
    pq.write_table(old.set_column(4, "tokens", [[3] * len(KEYS)]), path)  # without a checksum, shapes still tell
    with pytest.raises(RunFailed, match="is damaged"):
        Store(folder)
