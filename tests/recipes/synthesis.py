"""What the tests of synth's recipes share: a folder outside of ours, rendered as a newcomer would."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.dataset import Dataset
from tests.recipes.contributing import PAGE


def write(path: Path, text: str) -> None:
    """A file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def render(folder: Path, config: str, count: int = 4) -> subprocess.CompletedProcess[str]:
    """``python -m synth render CONFIG OUT`` in ``folder``, which alone is on PYTHONPATH beside the repository."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(PAGE.parent)])}
    command = [sys.executable, "-m", "synth", "render", config, "OUT", "--count", str(count)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def rendered(folder: Path, config: str, count: int = 4) -> list[dict[str, Any]]:
    """The rows that ``render`` writes, each with its ``picture``."""
    done = render(folder, config, count)
    assert done.returncode == 0, done.stderr
    dataset = Dataset.open(folder / "OUT")
    assert dataset.rows == count
    rows = dataset.read(range(count))
    return [row | {"picture": Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")} for row in rows]
