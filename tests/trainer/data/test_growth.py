"""A dataset that grows while a training runs: each phase has what there was when it began, also when it is resumed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from configs import UserError
from pipeline.dataset import Dataset
from pipeline.pack.manifest import finish, packed_rows, write_manifests
from tests.trainer.data.folders import folder, put
from tests.trainer.data.producers.common import losses_of, training
from tests.trainer.trainers import open_trainer
from trainer.data.folder import open_data
from trainer.data.growth import PhaseDatasets
from trainer.fit import fit
from trainer.loop import Trainer


def publish(whole: Path, out: Path, keep: str) -> Dataset:
    """The rows of ``whole`` for which ``keep`` holds, put at ``out`` as the pipeline does: old files are removed."""
    (out / "dataset.json").unlink(missing_ok=True)
    for part in ("data", "manifest"):
        shutil.rmtree(out / part, ignore_errors=True)
    shutil.copytree(whole / "data", out / "data")
    (out / "manifest").mkdir()
    kept = pl.from_arrow(Dataset.open(whole).manifest())
    assert isinstance(kept, pl.DataFrame)
    kept = kept.with_row_index().filter(pl.sql_expr(keep)).drop("index")
    write_manifests(out / "manifest", kept, packed_rows(out / "data"), ["measure"], [])
    finish(out, {}, kept)
    return Dataset.open(out)


@pytest.fixture
def growing(all_tasks: Path, tmp_path: Path) -> Path:
    """The second half of the rows, so that all of them get other numbers when the first half joins."""
    publish(all_tasks, tmp_path / "dataset", "index >= 20")
    return tmp_path / "dataset"


@pytest.fixture(scope="module")
def ungrown(all_tasks: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of a training on the second half of the rows alone."""
    folder = tmp_path_factory.mktemp("ungrown")
    publish(all_tasks, folder / "dataset", "index >= 20")
    return losses_of(training(folder), folder / "out", folder / "dataset")


def ids(trainer: Trainer, rows: list[int]) -> set[str]:
    return {sample["id"] for sample in trainer.dataset.read(rows, ["id"])}


def trained(trainer: Trainer, growing: Path, whole: Path, at: int, stop: int = 7) -> tuple[list[float], list[set[str]]]:
    """Losses and samples of the steps to ``stop``; before step ``at`` the dataset becomes ``whole``."""
    losses, samples = [], []
    for prepared in trainer._prepared():
        if trainer.done == at:
            publish(whole, growing, "true")
        samples.append(ids(trainer, prepared.batch.rows.tolist()))
        losses.append(float(trainer.step(prepared)[0]["loss"]))
        trainer.done += 1
        trainer._keep({})
        if trainer.done == stop:
            break
    trainer.checkpoints.finish()
    return losses, samples


def test_what_is_added_is_absent_before_the_next_phase_and_there_after_it(
    ungrown: list[float], growing: Path, all_tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = set(Dataset.open(growing).manifest(["id"])["id"].to_pylist())
    (tmp_path / "out").mkdir()
    losses, samples = trained(open_trainer(training(tmp_path), tmp_path / "out", growing), growing, all_tasks, at=1)
    assert losses[:4] == ungrown[:4]
    assert all(found <= old for found in samples[:4])
    assert any(found - old for found in samples[4:])
    assert "phase second: the dataset has changed: 40 samples" in capsys.readouterr().out
    recorded = json.loads((tmp_path / "out" / "datasets.json").read_text())
    assert [entry["phase"] for entry in recorded] == ["first", "second"]
    assert recorded[1]["digest"] == Dataset.open(growing).digest != recorded[0]["digest"]


@pytest.fixture(scope="module")
def expected(all_tasks: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of a training that ends where it began, its dataset whole from step 1 on."""
    folder = tmp_path_factory.mktemp("expected")
    publish(all_tasks, folder / "dataset", "index >= 20")
    (folder / "out").mkdir()
    trainer = open_trainer(training(folder, "checkpoint.every=1"), folder / "out", folder / "dataset")
    return trained(trainer, folder / "dataset", all_tasks, 1)[0]


@pytest.mark.parametrize("stop", [2, 3, 4, 6])
def test_a_resumed_training_has_the_same_rows_in_the_same_phases(
    expected: list[float], growing: Path, all_tasks: Path, tmp_path: Path, stop: int
) -> None:
    config = training(tmp_path, "checkpoint.every=1")
    (tmp_path / "resumed").mkdir()
    before, _ = trained(open_trainer(config, tmp_path / "resumed", growing), growing, all_tasks, at=1, stop=stop)
    after, _ = trained(open_trainer(config, tmp_path / "resumed", growing), growing, all_tasks, at=-1)
    assert before + after == expected


def test_with_grow_off_all_phases_have_what_the_first_one_had(
    ungrown: list[float], growing: Path, all_tasks: Path, tmp_path: Path
) -> None:
    config = training(tmp_path, "grow=false")
    (tmp_path / "out").mkdir()
    losses, _ = trained(open_trainer(config, tmp_path / "out", growing), growing, all_tasks, at=1)
    assert losses == ungrown


def test_a_dataset_that_is_being_written_or_has_no_row_for_the_phase_is_not_taken(
    growing: Path, all_tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = training(tmp_path, "phases.1.where=task == 'ti2i'")
    small = losses_of(config, tmp_path / "small", growing)
    for name, keep in (("half", None), ("none", "task == 't2i'")):
        publish(all_tasks, growing, "index >= 20")
        (tmp_path / name).mkdir()
        trainer = open_trainer(config, tmp_path / name, growing)
        found = []
        for prepared in trainer._prepared():
            if trainer.done == 2:
                if keep:
                    publish(all_tasks, growing, keep)
                else:
                    (growing / "dataset.json").unlink()
            found.append(float(trainer.step(prepared)[0]["loss"]))
            trainer.done += 1
        assert found == small
        assert "phase second: goes on with the dataset of phase first: " in capsys.readouterr().out


def test_where_files_cannot_be_linked_that_is_told_and_another_dataset_refused(
    growing: Path, all_tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def link(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    (tmp_path / "out").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(os, "link", link)
        trained(open_trainer(training(tmp_path), tmp_path / "out", growing), growing, all_tasks, at=-1, stop=2)
    assert "cannot be linked into" in capsys.readouterr().out
    publish(all_tasks, growing, "true")
    with pytest.raises(
        UserError, match=r"phase first began with a dataset of 20 samples and digest .*put that one back"
    ):
        fit(training(tmp_path), tmp_path / "out", growing)


def test_links_are_gone_when_all_is_trained(growing: Path, tmp_path: Path) -> None:
    fit(training(tmp_path), tmp_path / "out", growing)
    assert not (tmp_path / "out" / "datasets").exists()
    assert len(json.loads((tmp_path / "out" / "datasets.json").read_text())) == 2


def test_before_a_checkpoint_a_training_begins_anew_with_what_there_is(tmp_path: Path) -> None:
    """A picture that stopped it was taken away; OUT has the record of the dataset that it was in."""
    data, out = folder(tmp_path / "data", a="A.", b="B.", c="C."), tmp_path / "out"
    out.mkdir()
    before = PhaseDatasets(out, open_data(data), grow=True)
    before.begin("first", lambda _: None)
    before.begin("second", lambda _: None)
    (data / "b.png").unlink()
    (data / "b.txt").unlink()
    after = PhaseDatasets(out, open_data(data), grow=True)
    assert after.first().rows == 2
    assert after.digests() == {after.live.digest}
    after.begin("first", lambda _: None)
    assert after.enter("first") == (after.live, False)
    assert [(entry.phase, entry.rows) for entry in after.begun] == [("first", 2)]
    (out / "checkpoints" / "step-1").mkdir(parents=True)
    (out / "checkpoints" / "step-1" / "complete").touch()
    put(data / "a.png", seed=9)
    with pytest.raises(UserError, match="phase first began with a dataset of 2 samples"):
        PhaseDatasets(out, open_data(data), grow=True).first()


def test_before_a_checkpoint_the_links_of_an_earlier_try_are_not_read(
    growing: Path, all_tasks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    PhaseDatasets(out, open_data(growing), grow=True).begin("first", lambda _: None)
    dataset = publish(all_tasks, growing, "index >= 5")
    after = PhaseDatasets(out, open_data(growing), grow=True)
    assert after.first().digest == dataset.digest
    after.begin("first", lambda _: None)
    assert [entry.rows for entry in (after.enter("first")[0], *after.begun)] == [35, 35]
    assert [folder.name for folder in (out / "datasets").iterdir()] == [dataset.digest[:16]]


def test_samples_that_a_phase_keeps_though_they_were_taken_down_are_told(
    growing: Path, all_tasks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "checkpoints" / "step-1").mkdir(parents=True)
    (out / "checkpoints" / "step-1" / "complete").touch()
    PhaseDatasets(out, open_data(growing), grow=True).begin("first", lambda _: None)
    assert PhaseDatasets(out, open_data(growing), grow=True).kept_against("first") is None
    publish(all_tasks, growing, "index >= 10")
    assert PhaseDatasets(out, open_data(growing), grow=True).kept_against("first") is None  # it has only grown
    publish(all_tasks, growing, "index >= 23")
    told = PhaseDatasets(out, open_data(growing), grow=True).kept_against("first")
    assert told is not None
    assert told.startswith("phase first: goes on with the dataset that it began with, 3 of whose 20 samples are not in")
    assert "a new OUT with --from" in told


@pytest.mark.parametrize("entry", [{"phase": "first", "digest": 3, "rows": "x"}, {"phase": "first"}, 7])
def test_a_record_that_is_none_is_one_line(growing: Path, tmp_path: Path, entry: object) -> None:
    (tmp_path / "out" / "checkpoints" / "step-1").mkdir(parents=True)
    (tmp_path / "out" / "checkpoints" / "step-1" / "complete").touch()
    (tmp_path / "out" / "datasets.json").write_text(json.dumps([entry]))
    with pytest.raises(UserError, match=r"datasets.json: cannot be read .*; put it back"):
        PhaseDatasets(tmp_path / "out", open_data(growing), grow=True)
