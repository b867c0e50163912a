"""Objects that appear whole or not at all, as ``configs.files`` wants them: one conditional put from a temporary file."""

from __future__ import annotations

import contextlib
import mmap
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.storage.client import StorageFailed, asking
from configs.storage.fence import check_fence, is_fenced
from configs.storage.paths import ObjectPath, version_of

if TYPE_CHECKING:
    from obstore import PutMode

_TRIES = 5
"""How often a replacement begins anew where somebody else replaced the object meanwhile; chosen."""
_PAUSE = 0.1
"""Seconds before the second try; chosen."""


@contextlib.contextmanager
def uploaded(path: ObjectPath, once: bool) -> Iterator[Path]:
    """Yield a local file to write; when the block ends well, it is put at ``path``: unless that exists (``once``), or in
    place of what was there."""
    with tempfile.TemporaryDirectory(prefix="glyphmill-") as folder:
        file = Path(folder) / path.name
        yield file
        with file.open("rb") as raw, _bytes_of(raw) as data:
            if once:
                create(path, data)
            else:
                replace(path, data)


def create(path: ObjectPath, data: Any) -> bool:
    """Put an object unless there is one; whether this one is it. The first one is the truth."""
    check_fence(path)
    return put_if(path, data, "create") is not None


def replace(path: ObjectPath, data: Any) -> None:
    """Put an object in place of the version that is there now. Raises what the fence around it raises."""
    for number in range(_TRIES):
        mode: PutMode = "create"
        with contextlib.suppress(FileNotFoundError):
            there = path.stat_now()
            mode = there.update
        check_fence(path)
        try:
            if put_if(path, data, mode) is not None:
                return
        except StorageFailed:  # the library does not repeat these: it cannot tell whether they went well
            if number == _TRIES - 1:
                raise
            time.sleep(_PAUSE * 2**number)
        # Refused: somebody else was faster, or our own put whose answer was lost. Inside a fence only the latter can
        # be, or the fence says that we have lost it.
        check_fence(path)
    what = "changes while it is being replaced" + (", though this process holds it" if is_fenced(path) else "")
    raise StorageFailed(str(path), what, "see that only one process writes there")


def put_if(path: ObjectPath, data: Any, mode: PutMode) -> PutMode | None:
    """Put an object where there is none (``create``), or that version of it; how to replace what is there now, or None
    where the condition did not hold. Asks no fence."""
    with asking(str(path)):
        try:
            put = path.store.put(path.key, data, mode=mode, use_multipart=False)
        except Exception as error:
            if type(error).__name__ in ("AlreadyExistsError", "PreconditionError"):
                return None
            if isinstance(error, FileNotFoundError) and mode != "create" and "NoSuchBucket" not in str(error):
                return None  # what was to be replaced is gone
            raise
    return version_of(put)


@contextlib.contextmanager
def _bytes_of(raw: Any) -> Iterator[Any]:
    """The content without reading it into memory."""
    raw.seek(0, 2)
    if not raw.tell():
        yield b""
        return
    data = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        yield data
    finally:
        with contextlib.suppress(BufferError):  # the library lets go of it a moment later
            data.close()
