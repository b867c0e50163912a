"""One run for all tests of the report: written once, never changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.report import write_report
from tests.pipeline.report.fixture_run import add_training, build_run, photos


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven pictures (one failed, one a copy) and forty rendered ones, decided, packed and trained on."""
    path = build_run(tmp_path_factory.mktemp("report") / "run", photos(10), synthetic=40)
    add_training(path)
    (path / "summary.json").write_text(json.dumps({"seconds": {"curate": 61.0, "train": 372.5}}))
    return path


@pytest.fixture(scope="session")
def report(run: Path) -> Path:
    return write_report(run)
