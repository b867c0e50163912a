"""The loader reads its own samples only, forgets nothing in use, gives the same tensors whenever asked, names what is bad."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from configs import RunFailed
from pipeline.dataset import Dataset
from tests.trainer.data.pixels import PixelEncoder, Work
from trainer.config import FitConfig
from trainer.data import pictures as stored
from trainer.data.config import LoadingConfig
from trainer.data.folder import Data, PictureFolder
from trainer.data.loader import InProcess, Loader, Prepared
from trainer.data.mask import token_weights
from trainer.data.resize import resize_to_cover
from trainer.order.curriculum import Phase, ReferenceConfig, Share
from trainer.order.index import read_index
from trainer.order.order import Order
from trainer.tasks.base import TargetKey
from trainer.tasks.config import ObjectiveConfig
from trainer.tasks.i2i import INSTRUCTION

AREAS = ReferenceConfig(vae_area=64 * 64, vision_area=96 * 96)
ALL = (Share("width > 0", 3), Share("width > 0", 1, task="i2i"))


def loader(data: Data, rank: int = 0, ranks: int = 1, mixture: tuple[Share, ...] = ALL, **more: Any) -> Loader:
    phase = Phase("p", 40, (64,), "width > 0", 512, mixture, references=AREAS)
    config = FitConfig((phase,), **{"objective": ObjectiveConfig(dropout=0.2), **more})
    order = Order(read_index(data, config.phases), config.phases, config.seed)
    producer = InProcess(config, Work(PixelEncoder()))  # type: ignore[arg-type]
    return Loader(config, data, order, producer, lambda image, text: image + text, rank, ranks)


def pixels(loader: Loader) -> PixelEncoder:
    found = loader.producer.preparers.of(loader.dataset).encoder  # type: ignore[attr-defined]
    assert isinstance(found, PixelEncoder)
    return found


def same(first: Prepared, again: Prepared) -> bool:
    return first.samples.keys() == again.samples.keys() and all(
        torch.equal(a, b)
        for slot, one in first.samples.items()
        for a, b in zip((one.text, *one.images), (again.samples[slot].text, *again.samples[slot].images), strict=True)
    )


@pytest.mark.parametrize("captions", [0, 1, 5])
def test_a_memory_smaller_than_a_batch_forgets_nothing_in_use(all_tasks: Path, captions: int) -> None:
    data = Dataset.open(all_tasks)
    small, large = loader(data, loading=LoadingConfig(captions=captions)), loader(data)
    for step in (0, 1, 2, 1):
        assert len(small.order.batch(step).rows) > 5
        assert same(small.prepare(step), large.prepare(step))


def test_batches_come_in_their_order_and_are_the_same_whenever_asked_for(all_tasks: Path) -> None:
    data = Dataset.open(all_tasks)
    walked = list(zip(range(3, 9), loader(data).batches(3), strict=False))
    for step, prepared in reversed(walked):
        assert prepared.batch.step == step
        assert same(prepared, loader(data, loading=LoadingConfig(threads=1)).prepare(step))


def test_ranks_read_decode_and_encode_their_own_samples_alone(all_tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Dataset.open(all_tasks)
    read: list[tuple[int, bool]] = []
    decoded: list[int] = []
    read_pictures, decode = data.read_pictures, stored.decode

    def reading(rows: Any, references: Any = None) -> Any:
        read.extend(zip(rows, references, strict=True))
        return read_pictures(rows, references)

    def decoding(*arguments: Any) -> np.ndarray:
        decoded.append(1)
        return decode(*arguments)

    object.__setattr__(data, "read_pictures", reading)
    monkeypatch.setattr(stored, "decode", decoding)
    slots: list[int] = []
    for rank in range(3):
        read.clear()
        decoded.clear()
        mine = loader(data, rank, 3)
        prepared = mine.prepare(5)
        batch, own = prepared.batch, sorted(prepared.samples)
        assert {row for row, _ in read} == {int(batch.rows[slot]) for slot in own}
        edits = {int(batch.rows[slot]) for slot in own if batch.tasks[slot] == "ti2i"}
        assert {row for row, whole in read if whole} == edits
        assert {key.row for key in pixels(mine).pictures} == {int(batch.rows[slot]) for slot in own}
        references = sum(int((batch.references[s, :, 0] > 0).sum()) for s in own if batch.tasks[s] == "ti2i")
        seen = sum(1 for s in own if batch.tasks[s] == "i2i")
        assert len(decoded) == len(own) + 2 * references + seen  # once for the VAE, once for the vision tower
        slots += own
    assert sorted(slots) == list(range(len(batch.rows)))


def test_a_row_as_two_tasks_is_cut_for_each(all_tasks: Path) -> None:
    """Whole as an edit's target, cropped as I2I: a memory by row and size would give one for the other."""
    data = Dataset.open(all_tasks)
    made = loader(data, mixture=(Share("task == 'ti2i'", 1), Share("task == 'ti2i'", 1, task="i2i")))
    for step in range(10):
        made.prepare(step)
    keys = {key for key in pixels(made).pictures if isinstance(key, TargetKey)}
    whole, cut = ({key.row for key in keys if any(key.keep) == kept} for kept in (True, False))
    assert whole & cut


def test_i2i_of_a_row_that_asks_for_something_else_has_the_fixed_instruction(all_tasks: Path) -> None:
    data = Dataset.open(all_tasks)
    made = loader(data, objective=ObjectiveConfig(dropout=0))
    own = dict(enumerate(data.manifest(["task"])["task"].to_pylist()))
    told = set()
    for step in range(6):
        prepared = made.prepare(step)
        for slot, sample in prepared.samples.items():
            if prepared.batch.tasks[slot] == "i2i":
                row = int(prepared.batch.rows[slot])
                text = bytes(sample.text[:-2, 0].byte().tolist()).decode()
                assert (text == INSTRUCTION) == (own[row] != "i2i")
                told.add(own[row])
    assert told == {"t2i", "ti2i", "i2i"}


def test_an_undecodable_picture_is_named(all_tasks: Path) -> None:
    data = Dataset.open(all_tasks)
    object.__setattr__(
        data, "read_pictures", lambda rows, references=None: [stored.Pictures(b"no picture", ())] * len(rows)
    )
    with pytest.raises(RunFailed, match=r"sample [0-9a-f]{32} \(manifest row \d+\): image cannot be decoded") as caught:
        loader(data, mixture=(Share("task == 't2i'", 1),)).prepare(0)
    assert "\n" not in str(caught.value)


def test_a_batch_of_a_shard_that_was_cut_short_is_refused(all_tasks: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(all_tasks, tmp_path / "copy"))
    data = Dataset.open(copy)
    made = loader(data)
    for shard in (copy / "data").glob("*.parquet"):
        shard.write_bytes(shard.read_bytes()[:64])
    with pytest.raises(RunFailed, match="pack the dataset again"):
        made.prepare(0)


def test_masks_and_factors_of_a_folder_weigh_the_loss(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures, masks = {}, {}
    for name, masked in (("a", True), ("b", False)):
        pictures[name] = random.integers(0, 256, (96, 160, 3), dtype=np.uint8)
        Image.fromarray(pictures[name]).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(f"picture {name}")
        if masked:
            masks[name] = np.where(np.arange(160) < 70, 255, 0).astype(np.uint8)[None].repeat(96, 0)
            Image.fromarray(masks[name]).save(tmp_path / f"{name}.mask.png")
    (tmp_path / "folders.yaml").write_text("folders: [{path: ., weight: 0.5}]\n")
    data = PictureFolder.open(tmp_path / "folders.yaml")
    made = loader(data, mixture=(), objective=ObjectiveConfig(dropout=0, unmasked_weight=0.25))
    seen = set()
    for step in range(4):
        prepared = made.prepare(step)
        for slot, sample in prepared.samples.items():
            name = bytes(sample.text[:, 0].byte().tolist()).decode()[-1]
            bucket, keep = tuple(prepared.batch.buckets[slot].tolist()), prepared.batch.keeps[slot]
            assert sample.weights is not None
            if name == "b":
                assert (sample.weights == 0.5).all()
            else:
                cut = resize_to_cover(masks[name][..., None].repeat(3, 2), bucket, keep)
                assert torch.equal(sample.weights, torch.from_numpy(token_weights(cut, 0.25)) * 0.5)
                assert sample.weights.mean().item() == pytest.approx(0.5, abs=1e-6)
                assert sample.weights.min() < sample.weights.max()
            seen.add(name)
    assert seen == {"a", "b"}


def test_a_packed_dataset_weighs_nothing(all_tasks: Path) -> None:
    assert all(sample.weights is None for sample in loader(Dataset.open(all_tasks)).prepare(0).samples.values())
