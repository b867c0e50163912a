"""Who may replace and remove what: below a fenced path only while ``check`` says so.

Whoever holds a run in a store (pipeline/store/object_lock.py) may lose it without noticing: a process sleeps, another one
takes over. So every replacement looks at the lock *after* it has learned which version it replaces: either the lock was
lost before, which stops it here, or whoever takes it later changes the version, and the store refuses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

_fences: dict[Path, Callable[[], None]] = {}


@contextlib.contextmanager
def fenced(root: Path, check: Callable[[], None]) -> Iterator[None]:
    """Within the block ``check`` is asked before anything below ``root`` changes; it raises where that must not be."""
    before = _fences.get(root)
    _fences[root] = check
    try:
        yield
    finally:
        _fences.pop(root, None)
        if before:
            _fences[root] = before


def check_fence(path: Path) -> None:
    """Raises what the fence around ``path`` raises; does nothing where there is none."""
    for root in (path, *path.parents):
        if root in _fences:
            _fences[root]()


def is_fenced(path: Path) -> bool:
    return any(root in _fences for root in (path, *path.parents))
