"""Cutting a row of things into portions of a bounded size, in their order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def portions(items: Iterable[T], size: Callable[[T], int], limit: int) -> list[list[T]]:
    """Each portion holds as much as fits into ``limit``, more only where one item alone does; none is empty."""
    found: list[list[T]] = []
    filled = 0
    for item in items:
        added = size(item)
        if not found or filled + added > limit:
            found.append([])
            filled = 0
        found[-1].append(item)
        filled += added
    return found
