"""What the three tasks condition on, at what sizes, and that the order's counts bound what the network is given."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch

from model.checkpoint import load_schedule
from model.reference_sizes import VAE_AREA, VISION_AREA, fitted_size, vision_tokens
from pipeline.dataset import Dataset
from tests.model.folders import condition_error, edit_folder
from tests.trainer.data.pixels import Work
from trainer.config import FitConfig
from trainer.data.encoders import Encoders
from trainer.data.frozen import Frozen
from trainer.data.loader import InProcess, Loader, Prepared
from trainer.loss import draw_sigma, micro_batch
from trainer.order.curriculum import Phase, ReferenceConfig, Share
from trainer.order.index import read_index
from trainer.order.order import Order
from trainer.rng import KeyedRandom
from trainer.tasks.base import Encoded
from trainer.tasks.config import ObjectiveConfig

CPU = torch.device("cpu")
VAE, VISION = 64 * 64, 96 * 96
ALL = (Share("width > 0", 4), Share("width > 0", 1, task="i2i"))


@cache
def work(max_tokens: int = 512) -> Work:
    return Work(Encoders(Frozen(edit_folder(), CPU, max_tokens), 10**8))


def loader(data: Path, dropout: float = 0.0, keeps: bool = True, max_text_tokens: int = 512) -> Loader:
    phase = Phase("p", 40, (64,), "width > 0", 512, ALL, references=ReferenceConfig(VAE, VISION))
    objective = ObjectiveConfig(dropout=dropout, dropout_keeps_references=keeps)
    config = FitConfig((phase,), objective=objective, max_text_tokens=max_text_tokens)
    dataset = Dataset.open(data)
    order = Order(read_index(dataset, config.phases), config.phases, 0, max_text_tokens=max_text_tokens)
    producer = InProcess(config, work(max_text_tokens))  # type: ignore[arg-type]
    return Loader(config, dataset, order, producer, lambda image, text: image + text)


def samples(loader: Loader, steps: int) -> Iterator[tuple[Prepared, int, Encoded]]:
    for step in range(steps):
        prepared = loader.prepare(step)
        for slot, sample in sorted(prepared.samples.items()):
            yield prepared, slot, sample


def vision_of(data: Dataset, row: int, task: str, bucket: tuple[int, int]) -> int:
    (sizes,) = data.manifest(["ref_sizes"])["ref_sizes"].slice(row, 1).to_pylist()
    seen = [bucket] if task == "i2i" else list(zip(sizes[0::2], sizes[1::2], strict=True))
    return sum(vision_tokens(*fitted_size(*size, VISION)) for size in seen)


def test_the_order_counts_what_the_network_is_given(all_tasks: Path) -> None:
    data = Dataset.open(all_tasks)
    kinds = set()
    for prepared, slot, sample in samples(loader(all_tasks), 12):
        batch, task = prepared.batch, str(prepared.batch.tasks[slot])
        target, *references = sample.images
        assert len(target) == batch.target_tokens[slot]
        assert sum(map(len, references)) + len(target) == batch.tokens[slot]
        assert [h * w for h, w in sample.sizes] == [len(image) for image in sample.images]
        if task == "i2i":
            assert len(sample.text) <= batch.text_tokens[slot]
            assert torch.equal(target, references[0])
        else:
            assert len(sample.text) == batch.text_tokens[slot]  # of one text, which is not dropped
        if task != "t2i":
            bucket = tuple(batch.buckets[slot].tolist())
            assert len(sample.text) > vision_of(data, int(batch.rows[slot]), task, bucket)
        kinds.add((task, len(references)))
    assert kinds == {("t2i", 0), ("ti2i", 1), ("ti2i", 2), ("ti2i", 3), ("i2i", 1)}


def test_counts_bound_dropped_and_cut_texts_too(all_tasks: Path) -> None:
    for limit in (24, 512):
        for prepared, slot, sample in samples(loader(all_tasks, dropout=0.5, max_text_tokens=limit), 6):
            assert len(sample.text) <= prepared.batch.text_tokens[slot]


def test_a_text_is_cut_where_vision_tokens_are_not_counted(all_tasks: Path) -> None:
    data = Dataset.open(all_tasks)
    cut = 0
    for (prepared, slot, short), (_, _, whole) in zip(
        samples(loader(all_tasks, max_text_tokens=24), 12), samples(loader(all_tasks), 12), strict=True
    ):
        task, bucket = str(prepared.batch.tasks[slot]), tuple(prepared.batch.buckets[slot].tolist())
        vision = 0 if task == "t2i" else vision_of(data, int(prepared.batch.rows[slot]), task, bucket)
        assert len(short.text) == min(len(whole.text), vision + 24)
        assert (short.text - whole.text[: len(short.text)]).abs().max() < condition_error(short.text)
        cut += len(short.text) < len(whole.text)
    assert cut > 5


def test_dropout_empties_the_instruction_and_keeps_or_drops_what_the_vision_tower_sees(all_tasks: Path) -> None:
    always = 1 - 1e-9
    plain = work().made.frozen.conditioner.encode([""])[0]
    shown = zip(samples(loader(all_tasks, always), 6), samples(loader(all_tasks, always, False), 6), strict=True)
    edits = 0
    for (prepared, slot, kept), (_, _, dropped) in shown:
        assert torch.equal(dropped.text, plain)
        assert all(map(torch.equal, kept.images, dropped.images))
        if prepared.batch.tasks[slot] == "t2i":
            assert torch.equal(kept.text, plain)
        else:
            bucket = tuple(prepared.batch.buckets[slot].tolist())
            row, task = int(prepared.batch.rows[slot]), str(prepared.batch.tasks[slot])
            announced = 7 * (len(kept.images) - 1)
            assert len(kept.text) == vision_of(Dataset.open(all_tasks), row, task, bucket) + announced + len(plain)
            edits += 1
    assert edits > 5


def test_references_are_free_of_noise_and_out_of_the_loss(all_tasks: Path) -> None:
    prepared = loader(all_tasks).prepare(0)
    slots = sorted(prepared.samples)
    rng = KeyedRandom(0, 0, len(slots))
    sigma = draw_sigma(rng, prepared.batch.target_tokens, ObjectiveConfig(), load_schedule(edit_folder()))
    micro = micro_batch([prepared.samples[s] for s in slots], slots, sigma, rng, CPU)
    start, targets = 0, 0
    places = np.arange(len(micro.images))[micro.layout.target.cpu().numpy()]
    for slot in slots:
        clean, *references = prepared.samples[slot].images
        assert places[targets : targets + len(clean)].tolist() == list(range(start, start + len(clean)))
        assert not torch.equal(micro.images[start : start + len(clean)], clean)
        start, targets = start + len(clean), targets + len(clean)
        for reference in references:
            assert torch.equal(micro.images[start : start + len(reference)], reference)
            start += len(reference)
    assert targets == len(places)
    assert start == len(micro.images)


def test_references_are_as_the_model_was_released_unless_a_phase_says_so(all_tasks: Path) -> None:
    data = Dataset.open(all_tasks)
    for areas, vae in ((ReferenceConfig(), VAE_AREA), (ReferenceConfig(VAE, VISION), VAE)):
        phase = Phase("p", 4, (64,), "task == 'ti2i'", 4 * vae, references=areas)
        order = Order(read_index(data, (phase,)), (phase,), 0)
        batch = order.batch(0)
        (sizes,) = data.manifest(["ref_sizes"])["ref_sizes"].slice(int(batch.rows[0]), 1).to_pylist()
        expected = [fitted_size(w, h, vae) for w, h in zip(sizes[0::2], sizes[1::2], strict=True)]
        assert [tuple(size) for size in batch.references[0].tolist() if size[0]] == expected
        seen = [
            fitted_size(w, h, areas.vision_area or VISION_AREA["multi"])
            for w, h in zip(sizes[0::2], sizes[1::2], strict=True)
        ]
        least = sum(vision_tokens(*size) for size in seen)
        assert least < batch.text_tokens[0] < least + 80
