"""Datasets of edits, made once for all tests of the trainer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.edits import mixed_tasks, render_edits


@pytest.fixture(scope="session")
def edits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 rows of ``configs/synth/edit.yaml``. Read only."""
    return render_edits(tmp_path_factory.mktemp("edits") / "dataset")


@pytest.fixture(scope="session")
def all_tasks(edits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with captions, and edits of one to three references. Read only."""
    return mixed_tasks(edits, tmp_path_factory.mktemp("all") / "dataset")
