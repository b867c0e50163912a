"""The flow loss on held-out rows, of a training that was interrupted nowhere and one of its checkpoints."""

from pathlib import Path

import pytest

from configs import UserError
from tests.trainer.trainers import some_rows
from trainer.evaluate.base import Subject
from trainer.evaluate.config import EvaluateConfig, Losses
from trainer.evaluate.drawing.model import find_model
from trainer.evaluate.suites.loss import Loss, training_config


def measured(checkpoint: Path, data: Path, out: Path) -> dict:
    config = EvaluateConfig(loss=Losses(data=str(data), where=some_rows(data, 15), samples=12, sigmas=(0.2, 0.9)))
    rows = Loss(config).measure(Subject(checkpoint, find_model(checkpoint, out), "cpu", None))
    return {(item.id, item.group): judged for item, judged in rows}


def test_each_sample_is_measured_at_each_sigma(tasks_trained: Path, tasks_data: Path, tmp_path: Path):
    found = measured(tasks_trained, tasks_data, tmp_path)
    groups = {group for _, group in found}
    assert {group.split(", ")[0] for group in groups} >= {"t2i", "ti2i"}
    assert all(identity in some_rows(tasks_data, 15) for identity, _ in found)
    for judged in found.values():
        total, count = judged["loss"]
        assert count == 2
        assert total == pytest.approx(judged["loss at 0.2"][0] + judged["loss at 0.9"][0])
        assert total > 0
    assert found == measured(tasks_trained, tasks_data, tmp_path)


def test_an_unfinished_trainings_checkpoint_is_exported_and_differs(
    tasks_trained: Path, tasks_data: Path, tmp_path: Path
):
    step = tasks_trained / "checkpoints" / "step-16"
    assert find_model(step, tmp_path) == tmp_path / "model-step-16"
    earlier, later = measured(step, tasks_data, tmp_path), measured(tasks_trained, tasks_data, tmp_path)
    assert earlier.keys() == later.keys()
    assert earlier != later


def test_without_held_out_rows_it_is_refused(tasks_trained: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"holds no rows out; name those .* --set loss.where=EXPR"):
        training_config(Losses(), tasks_trained)
    with pytest.raises(UserError, match="has no config of a training"):
        training_config(Losses(), tmp_path)
