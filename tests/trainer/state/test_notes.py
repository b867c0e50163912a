"""What ended a worker arrives as what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs import RunFailed, UserError
from trainer.state.notes import Notes


@pytest.mark.parametrize("error", [UserError("field 'lr': é"), RunFailed("the disk is full")])
def test_what_a_worker_tells_arrives(tmp_path: Path, error: UserError | RunFailed) -> None:
    notes = Notes(tmp_path / "out")
    assert notes.told() is None
    notes.tell(error)
    found = Notes(tmp_path / "out").told()
    assert type(found) is type(error)
    assert str(found) == str(error)
    notes.remove()
    assert not notes.folder.exists()
