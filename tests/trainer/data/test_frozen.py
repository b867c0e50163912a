"""The encoders are loaded when they are needed, and wait on the host between uses where they are to leave the device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.model.folders import edit_folder
from tests.trainer.data.producers.common import losses_of, training
from tests.trainer.trainers import open_trainer
from trainer.data.frozen import Frozen

_ELSEWHERE = torch.device("meta")
"""A device that weights can go to and that no CPU test has to have; what went there does not come back."""


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    frozen = Frozen(edit_folder(), torch.device("cpu"), 512)
    assert frozen.loaded == ()
    assert frozen.vae is frozen.vae
    assert frozen.loaded == ("vae",)


def test_what_leaves_is_on_the_device_only_while_it_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[tuple[str, str]] = []

    def to(module: torch.nn.Module, device: object = None, **_: object) -> torch.nn.Module:
        moves.extend([(type(module).__name__, str(device))] if device is not None else [])
        return module

    monkeypatch.setattr(torch.nn.Module, "to", to)
    frozen = Frozen(edit_folder(), _ELSEWHERE, 512, leaves=True)
    with frozen.at_work():
        assert moves == []  # nobody has asked
        with frozen.at_work():
            assert frozen.vae is frozen.vae
        assert moves == [("ImageVAE", "meta")]
    assert moves == [("ImageVAE", "meta"), ("ImageVAE", "cpu")]
    stays = Frozen(edit_folder(), _ELSEWHERE, 512)
    with stays.at_work():
        assert stays.vae is not None
    assert moves[2:] == [("ImageVAE", "meta")]


def test_encoders_that_leave_change_no_loss_and_never_work_while_a_step_runs(all_tasks: Path, tmp_path: Path) -> None:
    share = losses_of(training(tmp_path), tmp_path / "share", all_tasks)
    (tmp_path / "leave").mkdir()
    trainer = open_trainer(training(tmp_path, "encoders=leave", "loading.ahead=3"), tmp_path / "leave", all_tasks)
    working: list[int] = []
    found = []
    for prepared in trainer._prepared():
        working.append(trainer.frozen._at_work)
        found.append(float(trainer.step(prepared)[0]["loss"]))
        trainer.done += 1
    assert found == share
    assert set(working) == {0}
