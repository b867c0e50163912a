"""The validation loss: of rows that are not trained on, the same numbers for the same weights, whatever the cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from configs import UserError
from pipeline.dataset import Dataset
from tests.model.folders import edit_folder
from tests.model.reference import gradient_error
from tests.trainer.trainers import open_trainer, some_rows
from trainer.base import Base
from trainer.config import FitConfig
from trainer.loop import Trainer
from trainer.monitor.config import SamplesConfig, ValidationConfig
from trainer.monitor.metrics import read_metrics
from trainer.order.curriculum import Phase, ReferenceConfig, Share
from trainer.setup import open_order
from trainer.start import Start
from trainer.state.signals import StopRequest

MIXTURE = (Share("task == 't2i'", 1), Share("task == 'ti2i'", 2, end=1), Share("task == 'i2i'", 1))


def config(where: str, **more: object) -> FitConfig:
    areas = ReferenceConfig(vae_area=32 * 32, vision_area=56 * 56)
    phase = Phase("p", 3, (64,), "width > 0", 256, MIXTURE, references=areas)
    validation = ValidationConfig(where, samples=9, every=2)
    base = FitConfig((phase,), model=str(edit_folder()), validation=validation, device="cpu", threads=1)
    return replace(base, **more)  # type: ignore[arg-type]


@pytest.fixture
def where(all_tasks: Path) -> str:
    return f"{some_rows(all_tasks, 8)} or text_level == 0"


def measured(trainer: Trainer) -> dict[str, float]:
    assert trainer.validation is not None
    line = trainer.validation.measure(
        trainer.network.call, trainer.world, trainer.dummy, trainer.product, trainer.autocast
    )
    return {"all": line["validation_loss"], **line["validation_loss_by_task"]}


def test_held_out_rows_are_not_trained_on_and_no_others_are_left_out(all_tasks: Path, where: str) -> None:
    data = Dataset.open(all_tasks)
    order = open_order(config(where), data, Base.find(config(where), Start()))
    assert order.held_out is not None
    ids, levels = (data.manifest([name])[name].to_pylist() for name in ("id", "text_level"))
    held = {n for n, (id_, level) in enumerate(zip(ids, levels, strict=True)) if id_ in where or level == 0}
    drawn = {int(row) for batch in order.held_out.batches for row in batch.rows}
    assert drawn <= held
    assert order.held_out.samples == 9
    members = order.phases[0].members
    trained = {int(row) for index in range(len(order.phases[0].strata)) for row in members.of(index)}
    assert trained == set(range(data.rows)) - held
    assert f"validation: {len(held)} rows are not trained on" in order.held_out.remark(config(where).validation)  # type: ignore[arg-type]


@pytest.mark.parametrize("where", ["id < '0'", "width > 0"])
def test_a_predicate_that_holds_out_nothing_or_all_is_named(all_tasks: Path, where: str) -> None:
    with pytest.raises(UserError, match=r"field 'validation.where': .* holds out \d+ of 40 rows"):
        open_order(config(where), Dataset.open(all_tasks), Base.find(config(where), Start()))
    with pytest.raises(UserError, match=r"field 'validation.where': unknown column 'wdth'"):
        open_order(config("wdth > 0"), Dataset.open(all_tasks), Base.find(config("width > 0"), Start()))


def test_the_same_weights_have_the_same_loss_however_it_is_cut(all_tasks: Path, tmp_path: Path, where: str) -> None:
    whole = open_trainer(config(where), tmp_path / "a", all_tasks)
    first = measured(whole)
    assert measured(whole) == first
    assert set(first) == {"all", "t2i", "ti2i", "i2i"}
    cut = open_trainer(config(where, max_micro_batch_tokens=200), tmp_path / "b", all_tasks)
    assert measured(cut) == pytest.approx(first, rel=gradient_error(whole.model.config))
    with torch.no_grad():
        for parameter in whole.model.parameters():
            parameter.mul_(1.01)
    assert measured(whole)["all"] != first["all"]


def test_one_that_is_not_finite_is_null_and_told(
    all_tasks: Path, tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = open_trainer(config(where), tmp_path, all_tasks)
    assert trainer.validation is not None
    trainer.validation.sigmas[0][:] = float("nan")
    trainer.done = 2
    line = trainer._validated()
    assert line["validation_loss"] is None
    assert None in line["validation_loss_by_task"].values()
    assert "step 1: the validation loss is not finite (" in capsys.readouterr().out


def test_it_is_in_the_lines_where_it_is_measured_and_changes_no_training(
    all_tasks: Path, tmp_path: Path, where: str
) -> None:
    lines = []
    for name, every in (("often", 2), ("seldom", 3)):
        settings = config(
            where,
            validation=ValidationConfig(where, samples=9, every=every),
            samples=SamplesConfig(rows=2, size=(64, 64), steps=1, cfg=1, reference_area=32 * 32, vision_area=56 * 56),
        )
        trainer = open_trainer(settings, tmp_path / name, all_tasks)
        assert [len(shown.references) > 0 for shown in trainer.shown] != []
        (tmp_path / name).mkdir(exist_ok=True)
        with StopRequest() as stop:
            trainer.run(stop)
        lines.append(read_metrics(tmp_path / name))
        assert (tmp_path / name / "samples.png").exists()
    assert [[line["step"] for line in part if "validation_loss" in line] for part in lines] == [[1, 2], [2]]
    assert [line["loss"] for line in lines[0]] == [line["loss"] for line in lines[1]]
    assert lines[0][2]["validation_loss"] == lines[1][2]["validation_loss"]
