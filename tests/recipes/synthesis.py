"""What the tests of synth's recipes share: a folder outside of ours, rendered as a newcomer would."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from pipeline.dataset import Dataset
from tests import forked
from tests.recipes.contributing import PAGE


def write(path: Path, text: str) -> None:
    """A file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def render(folder: Path, config: str, count: int = 4) -> subprocess.CompletedProcess[str]:
    """``python -m synth render CONFIG OUT`` in ``folder``, which alone is on PYTHONPATH beside the repository."""
    return _command(folder, "synth", "render", config, "OUT", "--count", str(count))


def rendered(folder: Path, config: str, count: int = 4) -> list[dict[str, Any]]:
    """The rows that ``render`` writes, each with its ``picture``."""
    done = render(folder, config, count)
    assert done.returncode == 0, done.stderr
    return _rows(folder / "OUT", count)


def render_together(folder: Path, names: list[str], count: int = 4) -> None:
    """The recipes ``NAME.yaml`` in ``folder`` as the sources of one run, ``folder / "run"``."""
    sources = [{"kind": "synth", "name": name, "recipe": f"{name}.yaml", "count": count} for name in names]
    write(folder / "run.yaml", yaml.safe_dump({"sources": sources, "annotate": [{"kind": "measure"}]}))
    done = _command(folder, "pipeline", "run", "run.yaml", "run")
    assert done.returncode == 0, done.stderr


def rows_of(folder: Path, name: str, count: int = 4) -> list[dict[str, Any]]:
    """The rows of one of those recipes, each with its ``picture``."""
    rows = [row for row in _rows(folder / "run" / "dataset") if row["source"] == name]
    assert len(rows) == count
    return rows


def _command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(PAGE.parent)])}
    return forked.run(arguments, cwd=folder, env=environment)


def _rows(path: Path, count: int | None = None) -> list[dict[str, Any]]:
    dataset = Dataset.open(path)
    assert count in (None, dataset.rows)
    rows = dataset.read(range(dataset.rows))
    return [row | {"picture": Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")} for row in rows]
