"""CONTRIBUTING.md, "A source", followed to the letter: a package of its own, next to ours."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

from pipeline import Dataset
from tests import forked
from tests.pipeline.hostile import encode, picture
from tests.recipes.contributing import PAGE, block


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(PAGE.parent)])}
    return forked.run(["pipeline", *arguments], cwd=folder, env=environment)


def test_a_source_of_ones_own_makes_a_dataset(tmp_path: Path) -> None:
    module = tmp_path / "my_sources" / "zip_archive.py"
    module.parent.mkdir()
    module.write_text(block("### A source", "python"), encoding="utf-8")
    (tmp_path / "config.yaml").write_text(block("### A source", "yaml"), encoding="utf-8")

    missing = run(tmp_path, "run", "config.yaml", "run")
    assert missing.returncode == 2
    assert missing.stderr == f"error: field 'sources.0.path': expected a ZIP archive, found '{tmp_path}/holiday.zip'\n"

    with zipfile.ZipFile(tmp_path / "holiday.zip", "w") as archive:
        archive.writestr("beach/1.png", encode(picture(96, 64, seed=1), "PNG"))
        archive.writestr("beach/2.jpg", encode(picture(64, 96, seed=2), "JPEG"))
        archive.writestr("notes.txt", "no picture")
    done = run(tmp_path, "run", "config.yaml", "run")
    assert done.returncode == 0, done.stderr
    assert "listed 3 inputs of holiday\n" in done.stdout
    assert "holiday: 3 inputs = 2 kept + 0 stopped + 1 failed" in done.stdout
    rows = Dataset.open(tmp_path / "run" / "dataset").manifest().to_pylist()
    assert sorted((r["uri"], r["width"], r["height"], r["origin"], r["source"], r["license"]) for r in rows) == [
        ("beach/1.png", 96, 64, "zip", "holiday", "CC0-1.0"),
        ("beach/2.jpg", 64, 96, "zip", "holiday", "CC0-1.0"),
    ]

    report = run(tmp_path, "report", "run")
    assert report.returncode == 0, report.stderr
