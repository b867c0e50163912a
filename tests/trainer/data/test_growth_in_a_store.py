"""A training whose dataset lies in an object store: the same losses, a bounded cache, and what a phase began with stays."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from configs import RunFailed, UserError
from configs.files import created_once, remove_tree
from configs.storage import use_storage
from pipeline.dataset import Dataset
from tests.trainer.data.producers.common import losses_of, training
from tests.trainer.data.test_growth import publish
from tests.trainer.trainers import open_trainer
from trainer.data.growth import PhaseDatasets
from trainer.data.producers.encode import encode

if TYPE_CHECKING:
    from tests.object_store import Proxy, Server


def put(folder: Path, to: Path) -> None:
    """``to`` becomes what ``folder`` is."""
    remove_tree(to)
    for file in (file for file in folder.rglob("*") if file.is_file()):
        with created_once(to / file.relative_to(folder)) as copy:
            shutil.copyfile(file, copy)


def test_losses_are_those_of_a_disk_and_what_was_read_is_kept(
    all_tasks: Path, bucket: Path, proxy: Proxy, object_store: Server, tmp_path: Path
) -> None:
    put(all_tasks, bucket / "dataset")
    proxy.asked.clear()
    cache = tmp_path / "cache"
    use_storage(object_store.config(proxy.endpoint, cache=str(cache), cache_gigabytes=0.01))
    short = training(tmp_path, "phases.0.steps=1", "phases.1.steps=1")
    here = losses_of(short, tmp_path / "here", all_tasks)
    assert losses_of(short, tmp_path / "there", bucket / "dataset") == here
    assert 0 < sum(file.stat().st_size for file in cache.rglob("*")) < 10_000_000
    first = [asked for asked in proxy.asked if "/data/" in asked[1]]
    assert all(method == "GET" for method, _ in first)
    dataset = Dataset.open(bucket / "dataset")
    pictures = dataset.read_pictures(range(dataset.rows))
    proxy.asked.clear()
    assert dataset.read_pictures(range(dataset.rows)) == pictures == Dataset.open(all_tasks).read_pictures(range(40))
    assert len(proxy.asked) == 0 < len(first)


def test_a_phase_keeps_its_rows_when_others_are_decided_and_is_told_when_shards_are_replaced(
    all_tasks: Path, bucket: Path, tmp_path: Path
) -> None:
    there, out = bucket / "dataset", tmp_path / "out"
    put(publish(all_tasks, tmp_path / "half", "index >= 20").path, there)
    out.mkdir()
    datasets = PhaseDatasets(out, Dataset.open(there), grow=True)
    datasets.begin("first", lambda _: None)
    half, _ = datasets.enter("first")
    expected = half.read_pictures(range(20))
    for name in ("README.md", "dataset.json"):
        (there / name).unlink()
    remove_tree(there / "manifest")
    whole = publish(all_tasks, tmp_path / "whole", "true").path
    for file in [*(whole / "manifest").iterdir(), whole / "README.md", whole / "dataset.json"]:
        with created_once(there / file.relative_to(whole)) as copy:
            shutil.copyfile(file, copy)
    (kept,) = (out / "datasets").iterdir()
    assert Dataset.open(kept).read_pictures(range(20)) == expected
    assert datasets.begin("second", lambda _: None).startswith("phase second: the dataset has changed: 40 samples")  # type: ignore[union-attr]
    for path in list((there / "data").iterdir()):
        path.unlink()
        with created_once(path) as copy:
            copy.write_bytes(b"others" * 1000)
    with pytest.raises(RunFailed, match="was replaced while it was read; put it back, or begin anew"):
        half.read_pictures([0])
    with pytest.raises(RunFailed, match="was replaced by another one"):
        half.read([0])
    with pytest.raises(UserError, match=r"has .* bytes, .* were written|was replaced by another one"):
        Dataset.open(kept)


def test_a_dataset_that_is_not_there_is_one_line(bucket: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"dataset s3://.*/none: expected a folder with dataset.json, found nothing there"
    ):
        open_trainer(training(tmp_path), tmp_path / "out", bucket / "none")


@pytest.mark.long
def test_encodings_of_a_dataset_in_a_store_are_those_of_the_disk(all_tasks: Path, bucket: Path, tmp_path: Path) -> None:
    put(all_tasks, bucket / "dataset")
    config = training(tmp_path)
    encode(config, all_tasks, tmp_path / "here")
    encode(config, bucket / "dataset", tmp_path / "there")
    found = [
        {str(p.relative_to(out)): p.read_bytes() for p in (out / "shards").rglob("*.parquet")}
        for out in (tmp_path / "here", tmp_path / "there")
    ]
    assert found[0] == found[1] != {}
