"""The command holds OUT; its workers hold a lock of their own, for which a later command waits."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from configs import UserError
from trainer.state.held import held
from trainer.state.notes import Notes


def test_a_second_command_is_refused_while_a_worker_of_the_first_is_not(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    with held(tmp_path, wait=False), held(tmp_path, wait=False, notes=notes):
        assert notes.lock.exists()
        with pytest.raises(UserError, match="is in use by process"), held(tmp_path, wait=False):
            pass


def test_a_command_waits_for_the_workers_of_one_that_was_killed(tmp_path: Path) -> None:
    begun, end, order = threading.Event(), threading.Event(), []

    def worker() -> None:
        with held(tmp_path, wait=False, notes=Notes(tmp_path)):
            begun.set()
            end.wait(60)
            order.append("worker")

    thread = threading.Thread(target=worker)
    thread.start()
    assert begun.wait(60)
    threading.Timer(0.2, end.set).start()
    with held(tmp_path, wait=False):
        order.append("command")
    thread.join()
    assert order == ["worker", "command"]
