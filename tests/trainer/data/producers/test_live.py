"""``encode: live``: the losses of one process, whoever produces the samples and however often one of them is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs import RunFailed, UserError
from pipeline import cluster
from tests.trainer.data.producers.common import damaged, losses_of, training
from tests.trainer.trainers import open_trainer
from trainer.config import FitConfig
from trainer.data.producers.live import LiveProducers
from trainer.data.producers.open import check_encoding
from trainer.fit import fit
from trainer.loop import Trainer


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[None]:
    """One Ray for all tests of this file."""
    before = signal.getsignal(signal.SIGTERM)
    cluster.connect()
    signal.signal(signal.SIGTERM, before)
    yield
    cluster.disconnect()


def live(folder: Path, *overrides: str) -> FitConfig:
    return training(folder, "encode=live", "producers.cpus=0.5", *overrides)


def killing(trainer: Trainer, at: int | None) -> list[float]:
    """The losses, with all producers killed before step ``at``, in the middle of what they prepare for later ones."""
    producers = trainer.loader.producer
    assert isinstance(producers, LiveProducers)
    processes = producers.processes()
    found = []
    for prepared in trainer._prepared():
        for process in processes if trainer.done == at else ():
            os.kill(process, signal.SIGKILL)
        found.append(float(trainer.step(prepared)[0]["loss"]))
        trainer.done += 1
    return found


def test_a_killed_producer_changes_no_loss(all_tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = losses_of(training(tmp_path), tmp_path / "alone", all_tasks)
    (tmp_path / "live").mkdir()
    trainer = open_trainer(live(tmp_path, "loading.ahead=3"), tmp_path / "live", all_tasks)
    assert killing(trainer, at=0) == expected
    assert trainer.loader.producer.deaths == 2
    assert capsys.readouterr().out.count("encode: live: a producer died") == 2
    assert trainer.frozen.loaded == ()


@pytest.mark.long
def test_more_deaths_than_allowed_end_in_one_line(all_tasks: Path, tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    trainer = open_trainer(live(tmp_path, "producers.restarts=1"), tmp_path / "live", all_tasks)
    with pytest.raises(RunFailed, match=r"producers died 2 times, more than producers.restarts = 1") as caught:
        killing(trainer, at=0)
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_what_a_producer_cannot_read_is_told_as_in_one_process(all_tasks: Path, tmp_path: Path) -> None:
    config = live(tmp_path)
    dataset, sample = damaged(all_tasks, tmp_path / "dataset", config)
    (tmp_path / "live").mkdir()
    trainer = open_trainer(config, tmp_path / "live", dataset)
    with pytest.raises(RunFailed, match=f"sample {sample} .* image cannot be decoded"):
        killing(trainer, at=None)


def test_producers_that_find_no_room_are_refused_before_anything_is_written(
    all_tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"field 'producers.count': 900 producers with producers.cpus 0.5 do not fit"):
        fit(live(tmp_path, "producers.count=900"), tmp_path / "out", all_tasks)
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    config = live(tmp_path, "producers.gpus=0.5")
    check_encoding(config, None, set(), ranks=1)
    with pytest.raises(UserError, match=r"field 'producers.gpus': each of several ranks would start a Ray"):
        check_encoding(config, None, set(), ranks=2)
