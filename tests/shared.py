"""What takes long to make is made once for a test run, by whichever worker asks first."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest


class Shared:
    """Folders that all workers of a test run read and none changes.

    ``root``: a folder that these workers have in common and that a new test run does not see.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, name: str, make: Callable[[Path], object]) -> Path:
        """The folder ``name``, filled by ``make``, whose errors are raised here; the next who asks makes it again.

        The others wait meanwhile. It is made where it stays, for what is inside names files by absolute paths.
        """
        folder, made = self._root / name, self._root / f"{name}.made"
        self._root.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self._root / f"{name}.lock"):
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)  # half of it, if its maker failed or was killed
                folder.mkdir()
                make(folder)
                made.touch()
        return folder


def shared_by_workers(config: pytest.Config, factory: pytest.TempPathFactory) -> Shared:
    """With pytest-xdist below the folder above the workers' own, else below the only one."""
    own = factory.getbasetemp()
    return Shared((own.parent if hasattr(config, "workerinput") else own) / "shared")
