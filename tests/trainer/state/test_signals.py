"""A signal is kept while there is something to save, and the handlers before come back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from configs import RunFailed
from trainer.state.notes import Notes
from trainer.state.signals import StopRequest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_after_hold_is_remembered_by_name(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert signal.getsignal(number) == before
        stop.hold()
        assert not stop.received
        os.kill(os.getpid(), number)
        assert stop.received
        assert stop.name == number.name
        with pytest.raises(RunFailed, match=rf"asked to end \({number.name}\) after the last step"):
            stop.release()
    assert signal.getsignal(number) == before


def test_the_same_ctrl_c_twice_is_one_and_a_later_one_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr("trainer.state.signals.time.monotonic", lambda: now[0])
    with StopRequest() as stop:
        stop.hold()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # torchrun passes on what the terminal has sent already
        now[0] += 5
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_worker_of_ray_is_asked_by_its_notes(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    with StopRequest(notes) as stop:
        assert not notes.holds()
        stop.hold()
        assert notes.holds()
        assert not stop.received
        notes.ask("SIGTERM")
        assert stop.received
        assert stop.name == "SIGTERM"
    assert not notes.holds()
