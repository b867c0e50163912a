"""metrics.jsonl: strict JSON whatever the numbers are; a damaged line is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs import RunFailed
from trainer.monitor.config import MonitorConfig
from trainer.monitor.metrics import Line, Metrics, has, read_metrics, value_of
from trainer.state.best import BestMetric
from trainer.state.config import BestConfig

NAN, INF = float("nan"), float("inf")


def line(step: int, **more: object) -> Line:
    return {"step": step, "phase": "p", "loss": 0.5, **more}


def test_numbers_that_are_not_finite_are_null(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, 0, MonitorConfig())
    metrics.write(line(0, validation_loss=NAN, validation_loss_by_task={"t2i": -INF, "i2i": 1.0}))
    metrics.close()
    (found,) = read_metrics(tmp_path)
    assert found == line(0, validation_loss=None, validation_loss_by_task={"t2i": None, "i2i": 1.0})


def test_what_older_versions_wrote_is_taken_over_as_null(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line(0, grad_norm=NAN)) + "\n" + json.dumps(line(1)) + "\n")
    Metrics(tmp_path, 1, MonitorConfig()).close()
    assert read_metrics(tmp_path) == [line(0, grad_norm=None)]


@pytest.mark.parametrize(
    "damaged",
    ["{}", "[]", "null", "", '{"step": 1', '{"step": 1, "phase": "p"}', '{"step": "1", "phase": "p", "loss": 1}',
     '{"step": 1, "phase": "p", "loss": "low"}', '{"step": 1, "loss": 1}', "\0" * 9, "[" * 9999],
)  # fmt: skip
def test_a_line_of_no_step_is_named(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line(0)) + "\n" + damaged + "\n")
    with pytest.raises(RunFailed, match=r"metrics\.jsonl: line 2 is damaged; remove this line and repeat") as caught:
        read_metrics(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_line_that_a_kill_cut_short_is_none_and_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line(0)) + "\n" + '{"step": 1')
    assert read_metrics(tmp_path) == [line(0)]
    (tmp_path / "metrics.jsonl").unlink()
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(RunFailed, match="cannot be read"):
        read_metrics(tmp_path)


def test_steps_that_are_lacking_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line(step)) + "\n" for step in (0, 1, 4, 7)))
    Metrics(tmp_path, 6, MonitorConfig()).close()
    assert "metrics.jsonl: lacks 3 of the 6 steps before" in capsys.readouterr().out


@pytest.mark.parametrize("bad", [NAN, INF, None])
def test_the_best_is_never_one_that_is_not_finite(tmp_path: Path, bad: float | None) -> None:
    best = BestMetric(BestConfig("validation_loss", every=2), tmp_path, 0)
    assert best.look(line(0, validation_loss=bad), 1) is None
    assert best.look(line(1, validation_loss=bad), 2) is None
    assert best.look(line(2, validation_loss=bad), 3) is None
    assert best.look(line(3, validation_loss=2.0), 4) == ("validation_loss", 2.0)
    assert best.look(line(4), 5) is None
    with pytest.raises(RunFailed, match="no step of the last 2 had a number 'validation_loss'"):
        best.look(line(5), 6)


def test_names_lead_into_dictionaries() -> None:
    found = line(0, loss_by_task={"t2i": NAN, "i2i": 2.0})
    assert value_of(found, "loss_by_task.i2i") == 2.0
    assert value_of(found, "loss_by_task.t2i") is None
    assert [has(found, name) for name in ("loss_by_task.t2i", "loss_by_task.ti2i", "loss.x", "phase")] == [1, 0, 0, 1]
