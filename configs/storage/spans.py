"""Many byte ranges of an object at once, and other requests at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from configs.errors import RunFailed
from configs.storage.cache import range_cache
from configs.storage.client import asking
from configs.storage.config import storage_in_use
from configs.storage.paths import ObjectPath

Item = TypeVar("Item")
Result = TypeVar("Result")

_GAP = 1 << 16
"""Bytes between two ranges that are rather read than asked for anew; chosen."""
_GROUP = 1 << 23
"""Bytes after which a request for neighboring ranges ends, so that several are under way; chosen."""

Span = tuple[int, int]
"""Offset and length in bytes."""


def read_spans(path: ObjectPath, spans: Sequence[Span], e_tag: str | None) -> list[bytes]:
    """The bytes of each span: from the cache (``storage.cache``), else from the store, by one request for spans that lie
    close together. ``e_tag``: the version that is meant. Raises RunFailed where there is another one, or none.
    """
    config = storage_in_use()
    cache = range_cache(config.cache, config.cache_gigabytes) if e_tag else None
    found: dict[Span, bytes] = {}
    if cache:
        kept = {span: cache.get(f"{path} {e_tag} {span}", span[1]) for span in set(spans)}
        found = {span: data for span, data in kept.items() if data is not None}
    joined = _joined(sorted(set(spans) - set(found)))
    for parts in each(lambda group: _read_group(path, group, e_tag), joined, path):
        found |= parts
        if cache:
            for span, data in parts.items():
                cache.put(f"{path} {e_tag} {span}", data)
    return [found[span] for span in spans]


def each(function: Callable[[Item], Result], items: Iterable[Item], where: Path) -> Iterator[Result]:
    """``map``, in order; by several threads where each waits for answers of an object store, which ``where`` says."""
    if not isinstance(where, ObjectPath):
        yield from map(function, items)
        return
    with ThreadPoolExecutor(storage_in_use().requests) as pool:
        yield from pool.map(function, items)


def _joined(spans: Sequence[Span]) -> list[list[Span]]:
    """Sorted spans in groups with gaps of at most ``_GAP`` bytes."""
    groups: list[list[Span]] = []
    end = 0
    for start, length in spans:
        if groups and start - end <= _GAP and end - groups[-1][0][0] <= _GROUP:
            groups[-1].append((start, length))
        else:
            groups.append([(start, length)])
        end = start + length
    return groups


def _read_group(path: ObjectPath, group: Sequence[Span], e_tag: str | None) -> dict[Span, bytes]:
    first, end = group[0][0], max(start + length for start, length in group)
    try:
        with asking(str(path)):
            options: Any = {"range": (first, end)} | ({"if_match": e_tag} if e_tag else {})
            data = path.store.get(path.key, options=options).bytes().to_bytes()
    except Exception as error:
        if isinstance(error, RunFailed):
            raise
        what = "is gone" if isinstance(error, FileNotFoundError) else "was replaced while it was read"
        raise RunFailed(f"{path}: {what}; put it back, or begin anew with what is there now") from None
    return {(start, length): data[start - first : start - first + length] for start, length in group}
