"""What ``fit --dry-run`` says of a dataset of all tasks, under the curricula that ship."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from configs import command, load
from pipeline.dataset import Dataset
from tests.trainer.data.folders import folder, put
from trainer.__main__ import main
from trainer.base import Base
from trainer.config import FitConfig
from trainer.data.folder import names_in, open_data
from trainer.dry_run import amplification, describe, dry_run
from trainer.order.index import read_index
from trainer.order.order import Order
from trainer.setup import open_order
from trainer.start import Start

SHIPPED = ["fit", "configs/train/small.yaml"]


def planned(name: str, run: Path) -> tuple[FitConfig, Dataset, Order]:
    config = load(f"configs/train/{name}.yaml", FitConfig)
    dataset = Dataset.open(run / "dataset")
    return config, dataset, Order(read_index(dataset, config.phases), config.phases, config.seed)


@pytest.mark.parametrize("name", ["pretrain", "small"])
def test_the_curricula_that_ship_train_all_tasks_of_a_dataset_of_ours(name: str, mixed_run: Path) -> None:
    config, dataset, order = planned(name, mixed_run)
    names = [phase.phase.name for phase in order.phases]
    assert names[:6] == ["s1", "s2", "s3", "s4-characters", "s4-lines", "s4-paragraphs"]
    start = int(order.starts[names.index("s4-lines")])
    tasks = np.concatenate([order.batch(step).tasks for step in range(start, start + 20)])
    shares = [float((tasks == task).mean()) for task in ("t2i", "ti2i", "i2i")]
    assert shares == pytest.approx([0.85, 0.1, 0.05], abs=0.01)
    lines = describe(config, dataset, order)
    told = "\n".join(lines)
    assert "2 rows not drawn: t2i without a valid caption" in told
    assert "no rows, being optional: no row is 'task == 'ti2i''" in told  # S1 has no edits
    assert "tasks: t2i 85.0 %" in told
    assert "read amplification 1.00" in told


def test_tokens_crops_and_reasons_are_told(mixed_run: Path) -> None:
    config, dataset, order = planned("small", mixed_run)
    lines = describe(config, dataset, order)
    phase = lines[next(i for i, line in enumerate(lines) if line.startswith("s4-paragraphs")) :]
    assert any("image tokens" in line and "of references), at most" in line for line in phase)


def test_what_crops_lose_is_told(mixed_run: Path) -> None:
    """At 48 px the sizes of a bucket are so coarse that most shapes lose something."""
    phase = "phases=[{name: coarse, steps: 20, resolutions: [48], where: n_captions > 0, tokens: 256}]"
    config = load("configs/train/small.yaml", FitConfig, [phase])
    dataset = Dataset.open(mixed_run / "dataset")
    order = Order(read_index(dataset, config.phases), config.phases, config.seed)
    (told,) = [line for line in describe(config, dataset, order) if "crops: " in line]
    assert re.search(r"crops: [1-9][\d.]* % of the drawn pictures, losing [1-9][\d.]* % of the area on average", told)


@pytest.mark.parametrize("gpus", [[], ["--gpus", "8"]])
def test_without_gpus_memory_is_that_of_as_few_as_can_be(
    gpus: list[str], mixed_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*SHIPPED, str(tmp_path / "out"), "--data", str(mixed_run / "dataset"), "--dry-run"]
    assert command(main, [*arguments, "--set", "parallel.tp=2", *gpus]) == 0
    told = capsys.readouterr().out
    assert f"{8 if gpus else 2} GPUs" in told
    assert "a step: " in told


@pytest.mark.parametrize("gpus", ["0", "-2", "3"])
def test_gpus_that_cannot_be_cut_are_named_and_the_phases_are_shown(
    gpus: str, mixed_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*SHIPPED, str(tmp_path / "out"), "--data", str(mixed_run / "dataset"), "--dry-run"]
    assert command(main, [*arguments, "--set", "parallel.tp=2", "--gpus", gpus]) == 2
    told = capsys.readouterr()
    assert f"--gpus: a multiple of parallel.tp = 2 is needed, found {gpus}" in told.err
    assert "a step: " in told.out


def test_without_offsets_a_sample_costs_its_row_group(mixed_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, dataset, order = planned("small", mixed_run)
    batches = [order.batch(0)]
    assert amplification(dataset, batches) == 1.0
    own, groups, told = dataset.reading_costs()
    monkeypatch.setattr(Dataset, "reading_costs", lambda _: (own, groups, np.zeros_like(told)))
    rows = np.unique(batches[0].rows)
    expected = own[np.isin(groups, groups[rows])].sum() / own[rows].sum()
    assert amplification(dataset, batches) == pytest.approx(expected)
    assert expected > 1.05  # the two pictures without a caption are in the same group


def test_of_a_folder_all_is_told_that_the_start_tells_by_name(
    tasks_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder(tmp_path / "data", a="A.", b="B.", sorry="Sorry, I cannot describe it.")
    put(data / "small.png", 8, 8)
    (data / "small.txt").write_text("Small.")
    config = load(tasks_config, FitConfig, ["phases.0.mixture=[]", "phases.0.upscale=2"])
    dry_run(config, tmp_path / "out", data, Start())
    told = capsys.readouterr().out.splitlines()
    dataset = open_data(data)
    order = open_order(config, dataset, Base.find(config, Start()))
    assert len(dataset.remarks) == 2
    for line in dataset.remarks:
        assert line in told
    (why,) = order.remarks(names_in(dataset))
    assert f"    {why.removeprefix('phase mixed: ')}" in told
    assert why.endswith(f": {data / 'small.png'}")
    assert not (tmp_path / "out").exists()
