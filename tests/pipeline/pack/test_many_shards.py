"""A dataset of hundreds of shards: few files that decisions read and write, the same rows in the same order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from configs.files import created_once
from pipeline import scan
from pipeline.config import load_run_config
from pipeline.dataset import Dataset
from pipeline.decide.run import decide_run, decisions_key
from pipeline.engine.redecide import decide_again
from pipeline.pack import manifest, publish, shards
from pipeline.pack.notes import Notes
from pipeline.pack.stored import StoredRows
from pipeline.store.compact import Compacted
from pipeline.store.run_folder import RunFolder
from tests.benchmarks.decide import moved, rules
from tests.benchmarks.scored_run import write_scored_run

if TYPE_CHECKING:
    from tests.object_store import Proxy

_PART, _PARTS = 128, 8
"""Rows of a part of the ledger, and how many parts there are."""
_STRICTER = [moved()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RUN of shards of at most a megabyte, as its rows say. Read only."""
    run = write_scored_run(tmp_path_factory.mktemp("many") / "run", _PART * _PARTS, rules(), part=_PART)
    small = {"pack": {"megabytes": 1, "group_megabytes": 1}, "cluster": {"small": 10_000}}
    run.config.write_text(json.dumps(json.loads(run.config.read_text()) | small))
    publish.publish(run, load_run_config(run.config))
    assert len(list((run.dataset / "data").iterdir())) > 120
    return run.path


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> RunFolder:
    shutil.copytree(finished, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def index(run: RunFolder) -> Dataset:
    """A new manifest, of the decisions that are there."""
    config = load_run_config(run.config)
    publish.index(run, config, decide_run(run, config), decisions_key(run, config))
    return Dataset.open(run.dataset)


def test_a_decision_in_a_bucket_asks_as_often_whatever_the_number_of_shards(
    finished: Path, run: RunFolder, bucket: Path, proxy: Proxy
) -> None:
    there = bucket / "run"
    files = sorted(path for path in finished.rglob("*") if path.is_file())
    for file in sorted(files, key=lambda path: "compact" in path.parts):  # later than what they are made of
        with created_once(there / file.relative_to(finished)) as copy:
            shutil.copy(file, copy)
    decide_again(there, ["decide.watermark.pictures=0"])  # takes notes of the shards' versions there
    count = len(names(there / "dataset" / "data"))
    for dry, most in ((True, 60 + 3 * _PARTS), (False, 75 + 5 * _PARTS)):
        proxy.asked.clear()
        decide_again(there, _STRICTER, dry_run=dry)
        shown = [path for _, path in proxy.asked if dry and ("/samples/" in path or "/scores/" in path)]
        beats = [path for _, path in proxy.asked if path.endswith("/lock")]
        assert len(proxy.asked) - len(shown) - len(beats) < most < count
    decide_again(run.path, _STRICTER)
    away, here = Dataset.open(there / "dataset"), Dataset.open(run.dataset)
    assert away.digest == here.digest
    assert names(there / "dataset" / "notes") == names(run.dataset / "notes") == ["00000.notes"]
    assert names(there / "dataset" / "manifest") == names(run.dataset / "manifest") == ["00000.parquet"]
    rows = [here.rows - 1, 0, 3]
    assert away.read(rows, ["id"]) == here.read(rows, ["id"])


def test_a_manifest_is_cut_between_shards_and_read_as_one(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb")
    whole = Dataset.open(run.dataset)
    expected = whole.manifest()
    monkeypatch.setattr(publish, "_ROWS", 200)
    monkeypatch.setattr(manifest, "_ROWS", 50)
    for rows in (50, 1):
        monkeypatch.setattr(manifest, "_ROWS", rows)
        cut = index(run)
        assert cut.manifest().equals(expected)
        assert len(cut.manifest_files) > len(expected) // 60
        for file in cut.manifest_files:
            assert file.name == pl.read_parquet(file, columns=["shard"])["shard"][0]
        assert scan(run.dataset).select("id").collect()["id"].to_list() == expected["id"].to_pylist()
        counted = duckdb.sql(f"SELECT count(*), count(DISTINCT id) FROM '{run.dataset}/manifest/*.parquet'").fetchall()
        assert counted == [(len(expected), len(expected))]
    assert len(cut.manifest_files) == len(names(run.dataset / "data")), "as earlier versions cut it: one for each shard"
    monkeypatch.undo()
    assert index(run).digest == whole.digest


def test_joint_notes_say_what_the_shards_say(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    data, notes = run.dataset / "data", run.dataset / "notes"
    expected, rows = Notes(data).read(), index(run).manifest()
    assert expected["shard"].unique().to_pylist() == names(data)
    monkeypatch.setattr(publish, "_ROWS", 200)
    assert index(run).manifest().equals(rows)
    assert len(names(notes)) == len(Notes(data).portions(200)) > 2
    assert Notes(data).read().equals(expected)
    first, second, *_ = sorted(notes.iterdir())
    content = bytearray(first.read_bytes())
    content[100:200] = bytes(100)
    first.write_bytes(content)
    second.unlink()
    assert Notes(data).read().equals(expected), "shards whose notes are damaged or gone are looked at themselves"
    assert index(run).manifest().equals(rows)
    assert Notes(data).read().equals(expected)
    assert first.read_bytes() != content, "and noted again"


def test_a_shard_that_was_packed_anew_is_noted_anew(run: RunFolder) -> None:
    data = run.dataset / "data"
    one, other, *_ = sorted(data.iterdir())
    before = Notes(data).read(["id"])
    one.write_bytes(other.read_bytes())
    after = Notes(data)
    again = after.read(["id"], [one, other])["id"].to_pylist()
    assert again[: len(again) // 2] == again[len(again) // 2 :]
    assert len(after.read(["id"])) != len(before) or again[0] != before["id"][0].as_py()


def test_a_worker_holds_few_row_groups_of_a_shard(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    config, compacted = load_run_config(run.config, ["pack.megabytes=512"]), Compacted(run)
    first, *_ = publish.plan(run, config, decide_run(run, config, compacted=compacted))
    assert sum(map(len, first.groups)) > 500
    held, read = [], StoredRows.read
    monkeypatch.setattr(StoredRows, "read", lambda rows, places: (held.append(len(places)), read(rows, places))[1])
    written = []
    for rows, size in ((1 << 12, 1 << 40), (64, 1 << 40), (1 << 12, 1)):
        monkeypatch.setattr(shards, "_ROWS", rows)
        monkeypatch.setattr(shards, "_BYTES", size)
        held.clear()
        folder = run.path / f"packing-{rows}-{size}"
        shards.ShardWriter(run, folder, config.captions, shards.shard_schema(compacted).names)(first)
        written.append((folder / first.name).read_bytes())
        assert max(held) <= max(rows if size > 1 else 0, *map(len, first.groups))
    assert written == [written[0]] * 3
