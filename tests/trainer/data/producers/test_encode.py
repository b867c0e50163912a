"""``python -m trainer encode``: a training on shards is the training on pixels; what is damaged, killed or other."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from configs import RunFailed, UserError
from pipeline import cluster
from pipeline.cluster import ClusterConfig
from pipeline.dataset import Dataset
from tests.tolerance import rounding
from tests.trainer.data.producers.common import damaged, losses, losses_of, training
from tests.trainer.trainers import open_trainer
from trainer.config import FitConfig
from trainer.data.producers.digest import encoder_digests
from trainer.data.producers.encode import encode
from trainer.data.producers.shard import DTYPES, read_shard
from trainer.data.producers.store import check_store, to_bytes
from trainer.fit import fit

_SAME_LOSS = 1e-5
"""Of losses on shards and on pixels, relative, where the encoders are fp32: what the README states."""


_THREADS = ("producers.cluster.small=1000",)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> FitConfig:
    return training(tmp_path_factory.mktemp("config"), "producers.shard_samples=16", "producers.count=1", *_THREADS)


@pytest.fixture(scope="module")
def encoded(all_tasks: Path, config: FitConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("encoded") / "out"
    encode(config, all_tasks, out)
    yield out
    cluster.disconnect()


def from_shards(folder: Path, encoded: Path, *overrides: str) -> FitConfig:
    return training(folder, f"encoded={encoded}", *overrides)


def digests(folder: Path) -> dict[str, str]:
    files = sorted([*folder.glob("shards/*.parquet"), *folder.glob("datasets/*.parquet")])
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_losses_are_those_of_pixels_and_no_encoder_is_loaded(
    encoded: Path, all_tasks: Path, config: FitConfig, tmp_path: Path
) -> None:
    pixels = losses_of(config, tmp_path / "pixels", all_tasks)
    (tmp_path / "shards").mkdir()
    trainer = open_trainer(from_shards(tmp_path, encoded), tmp_path / "shards", all_tasks)
    assert losses(trainer) == pytest.approx(pixels, rel=_SAME_LOSS)
    assert trainer.frozen.loaded == ()
    assert trainer.loader.lacking == 0


def test_encoded_alone_and_in_a_batch_numbers_differ_by_rounding_only(
    encoded: Path, all_tasks: Path, config: FitConfig, tmp_path: Path
) -> None:
    loaders = []
    for name, settings in (("alone", config), ("batch", from_shards(tmp_path, encoded))):
        (tmp_path / name).mkdir()
        loaders.append(open_trainer(settings, tmp_path / name, all_tasks).loader)
    tasks = set()
    for step in range(7):
        alone, batch = (loader.prepare(step) for loader in loaders)
        tasks |= set(alone.batch.tasks.tolist())
        for slot, sample in alone.samples.items():
            other = batch.samples[slot]
            for ours, theirs in zip((sample.text, *sample.images), (other.text, *other.images), strict=True):
                assert ours.shape == theirs.shape
                limit = rounding(256, float(ours.abs().max()), layers=60)  # two dozen products, or thirty in the VAE
                assert float((ours - theirs).abs().max()) < limit
    assert tasks == {"t2i", "ti2i", "i2i"}


def test_what_the_folder_lacks_is_encoded_by_the_training_and_told(
    encoded: Path, all_tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ("phases.1.resolutions=[80]",)
    pixels = losses_of(training(tmp_path, *other), tmp_path / "pixels", all_tasks)
    both = losses_of(from_shards(tmp_path, encoded, *other), tmp_path / "both", all_tasks)
    assert both == pytest.approx(pixels, rel=_SAME_LOSS)
    told = capsys.readouterr().out
    assert "phase second: " in told
    assert f"were not in {encoded} and were encoded by the training" in told
    assert "phase first" not in told


@pytest.fixture
def ray_ends() -> Iterator[None]:
    """With the test that wants it: where Ray runs all is encoded on it, by workers that take ten seconds to start."""
    yield
    cluster.disconnect()


@pytest.mark.usefixtures("ray_ends")
def test_an_encoding_that_was_killed_ends_in_the_same_bytes(
    encoded: Path, all_tasks: Path, config: FitConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(encoded)
    for index in encoded.glob("datasets/*"):
        index.unlink()
    for path in sorted(encoded.glob("shards/*.parquet"))[::3]:
        path.unlink()
    (encoded / "shards" / ".half.parquet.0123456789ab.tmp").write_bytes(b"torn")
    on_ray = dataclasses.replace(config.producers, cluster=ClusterConfig(small=0, cpus=1))
    encode(dataclasses.replace(config, producers=on_ray), all_tasks, encoded)
    assert digests(encoded) == before
    assert [p.name for p in (encoded / "shards").iterdir() if p.name.startswith(".")] == []
    encode(config, all_tasks, encoded)
    assert "encoded already" in capsys.readouterr().out


@pytest.mark.usefixtures("ray_ends")
def test_damaged_shards_end_the_training_in_one_line_and_are_made_again(
    encoded: Path, all_tasks: Path, config: FitConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(encoded)
    flipped, cut, gone = sorted(encoded.glob("shards/*.parquet"))[:3]
    data = bytearray(flipped.read_bytes())
    for row in read_shard(flipped).index.to_pylist():
        data[row["offset"] + row["length"] // 2] ^= 0x10
    flipped.write_bytes(data)
    cut.write_bytes(cut.read_bytes()[:100])
    gone.unlink()
    live = ("encode=live", "producers={count: 1, cpus: 1, cluster: {cpus: 1}}")
    for name, more in (("live", live), ("alone", ())):
        with pytest.raises(
            RunFailed, match=rf"is damaged .*trainer encode CONFIG DATASET {encoded} makes it again"
        ) as caught:
            losses_of(from_shards(tmp_path, encoded, *more), tmp_path / name, all_tasks)
        assert "\n" not in str(caught.value)
        cluster.disconnect()
    encode(config, all_tasks, encoded)
    told = capsys.readouterr().out
    for path in (flipped, cut, gone):
        assert f"{path}: is damaged (" in told or f"{path} is missing" in told
    assert digests(encoded) == before
    encode(config, all_tasks, encoded)
    assert "encoded already and whole" in capsys.readouterr().out


def test_one_damaged_picture_costs_one_picture_and_what_is_known_is_not_encoded_again(
    all_tasks: Path, encoded: Path, config: FitConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, sample = damaged(all_tasks, tmp_path / "dataset", config)
    encode(config, dataset, tmp_path / "out")
    told = capsys.readouterr().out
    assert f"sample {sample} is not encoded: " in told
    bad = [row for path in (tmp_path / "out" / "shards").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    bad = [row for row in bad if row["error"]]
    assert {row["sample"] for row in bad} == {sample}
    assert all(row["data"] is None for row in bad)
    before = len(list((tmp_path / "out" / "shards").glob("*.parquet")))
    encode(config, all_tasks, tmp_path / "out")  # the whole dataset: only what was damaged is new
    new = sorted((tmp_path / "out" / "shards").glob("*.parquet"))
    names = {Dataset.open(all_tasks).digest[:12]}
    added = [row for path in new if path.name[:12] in names for row in pq.read_table(path).to_pylist()]
    assert len(new) > before
    assert {row["key"] for row in added} == {row["key"] for row in bad}
    assert losses_of(from_shards(tmp_path, tmp_path / "out"), tmp_path / "a", all_tasks) == pytest.approx(
        losses_of(from_shards(tmp_path, encoded), tmp_path / "b", all_tasks), rel=_SAME_LOSS
    )


@pytest.mark.parametrize("what", ["vae", "text"])
def test_other_encoders_are_refused_by_name(encoded: Path, all_tasks: Path, tmp_path: Path, what: str) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "datasets").symlink_to(encoded / "datasets")
    found = json.loads((encoded / "encoders.json").read_text())
    (copy / "encoders.json").write_text(json.dumps({**found, what: "0" * 64}))
    name = {"vae": "another VAE", "text": "another text encoder"}[what]
    with pytest.raises(UserError, match=f"field 'encoded': .* was encoded by {name} .digest 000000000000") as caught:
        fit(from_shards(tmp_path, copy), tmp_path / "out", all_tasks)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_another_dataset_and_an_empty_folder_are_refused(encoded: Path, edits: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is of another dataset: this one's digest is .*adds what is missing"):
        fit(from_shards(tmp_path, encoded), tmp_path / "out", edits)
    with pytest.raises(UserError, match="holds no encodings; python -m trainer encode"):
        fit(from_shards(tmp_path, tmp_path), tmp_path / "out", edits)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("left", [None, 0, 100])
def test_a_shard_that_is_gone_or_cut_is_told_before_the_first_step(
    encoded: Path, all_tasks: Path, config: FitConfig, tmp_path: Path, left: int | None
) -> None:
    folder = Path(shutil.copytree(encoded, tmp_path / "encoded"))
    shard = max(folder.glob("shards/*.parquet"))
    data = shard.read_bytes()
    shard.unlink()
    if left is not None:
        shard.write_bytes(data[:left])
    base = Path(str(config.model))
    with pytest.raises(
        UserError, match=f"{shard}: is damaged .it {'is gone' if left is None else f'has {left} bytes'}"
    ):
        check_store(folder, {Dataset.open(all_tasks).digest}, encoder_digests(base, config.max_text_tokens))


@pytest.mark.parametrize(("storage", "tolerance"), [("fp16", 1e-3), ("bf16", 1e-2)])
def test_narrower_numbers_are_what_they_are_rounded_to(encoded: Path, storage: str, tolerance: float) -> None:
    tensor = torch.randn(6, 5)
    name, data = to_bytes(tensor, storage)
    assert name == storage
    again = torch.frombuffer(bytearray(data), dtype=DTYPES[name]).reshape(6, 5)
    assert torch.allclose(again.float(), tensor, rtol=tolerance)
    assert to_bytes(tensor, "auto") == ("fp32", tensor.numpy().tobytes())
