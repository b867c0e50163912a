"""How a checkpoint's files are written: with their checksums, and with the system's own word where it refuses."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystem

from configs import RunFailed
from configs.disk import disk_failure
from configs.errors import DiskFailed
from model.complete import note_checksum
from trainer.parallel.lost import exchange_failed


class Writer(dcp.FileSystemWriter):
    """Notes the checksum of what it has written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fs = _Files()

    def write_data(self, plan: dcp.SavePlan, planner: dcp.SavePlanner) -> Any:
        written = super().write_data(plan, planner)
        for name in {result.storage_data.relative_path for result in written.wait()}:
            note_checksum(Path(self.path) / name)
        return written


class _Files(FileSystem):
    """Raises what the system said where torch's ZIP writer only tells that it is at another byte than it thought."""

    @contextlib.contextmanager
    def create_stream(self, path: str | os.PathLike[str], mode: str) -> Iterator[Any]:
        if mode != "wb":
            with super().create_stream(path, mode) as stream:
                yield stream
            return
        file = _File(path, mode)
        try:
            with io.BufferedWriter(file) as stream:
                yield stream
        except Exception:
            if file.refused:
                raise file.refused from None
            raise


class _File(io.FileIO):
    """Remembers why a write was refused."""

    refused: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.refused = error
            raise


@contextlib.contextmanager
def telling(folder: Path) -> Iterator[None]:
    """Turns what goes wrong while the checkpoint ``folder`` is written into one line, a RunFailed."""
    try:
        yield
    except DiskFailed as error:
        raise _failed(folder, error.why, error.helps) from None
    except RunFailed:
        raise
    except (CheckpointException, OSError, RuntimeError) as error:
        if exchange_failed(error):  # a rank is gone, and the disk as good as before
            raise
        causes = [e[0] if isinstance(e, tuple) else e for e in getattr(error, "failures", {}).values()] or [error]
        lines = str(causes[0]).strip().splitlines() or [type(causes[0]).__name__]
        failure = next(filter(None, map(disk_failure, causes)), (lines[-1], "make room or mend the disk"))
        raise _failed(folder, *failure) from None


def _failed(folder: Path, why: str, helps: str) -> RunFailed:
    return RunFailed(
        f"{folder}: cannot be written ({why}); the checkpoints before it are whole: {helps}, and give the same command "
        "again"
    )
