"""What a training will ask of the encoders, as units of work: every batch of the order is looked at, nothing is read.

    Order.batch(0..steps) ──> distinct (task, row, bucket, crop, references, areas) ──> units of one kind and size

A unit is fixed by dataset, config and its number: whoever encodes it, and whenever, makes the same shard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trainer.data.loader import Batches
from trainer.order.order import Batch

Kind = Literal["target", "reference", "caption", "edit", "copy"]
_KINDS: tuple[Kind, ...] = ("target", "reference", "caption", "edit", "copy")

COLUMNS: dict[Kind, tuple[str, ...]] = {
    "target": ("width", "height", "row", "left", "top", "right", "bottom"),
    "reference": ("width", "height", "row", "index"),
    "caption": ("row",),
    "edit": ("row", "count", "area"),
    "copy": ("row", "width", "height", "left", "top", "right", "bottom", "fixed", "area"),
}
"""Of a unit's table. Latents of targets and of references; conditions of captions, of instructions with ``count``
references, and of reconstructions' instructions with the target, ``fixed``: with the fixed one. ``area``: px of the vision tower, 0 as released."""
_TOGETHER = 1024
"""Batches whose distinct entries are taken at once (chosen)."""


@dataclass(frozen=True)
class Unit:
    """``table``: (n, columns of its kind) int64, distinct, sorted. ``name``: of its shard."""

    name: str
    kind: Kind
    table: np.ndarray


def plan_units(orders: Sequence[Batches], name: str, samples: int) -> list[Unit]:
    """Units of at most ``samples`` entries; ``name``: what their names begin with. One size of pictures in a unit.

    ``orders``: all whose batches count, over one dataset.
    """
    found: dict[Kind, np.ndarray] = {kind: np.zeros((0, len(COLUMNS[kind])), np.int64) for kind in _KINDS}
    pieces = [(order, first) for order in orders for first in range(0, order.steps, _TOGETHER)]
    for order, first in pieces:
        batches = [order.batch(step) for step in range(first, min(first + _TOGETHER, order.steps))]
        parts = [_entries(batch, order) for batch in batches]
        for kind in _KINDS:
            found[kind] = np.unique(np.concatenate([found[kind], *(part[kind] for part in parts)]), axis=0)
    return [unit for kind in _KINDS for unit in _cut(kind, found[kind], name, samples)]


def _entries(batch: Batch, order: Batches) -> dict[Kind, np.ndarray]:
    """What one batch needs, as the tables of units."""
    rows, buckets = batch.rows[:, None], batch.buckets.astype(np.int64)
    keeps = batch.keeps.astype(np.int64)
    area = np.full_like(rows, order.phases[batch.phase].phase.references.vision_area or 0)
    worded, edits, copies = (batch.tasks == task for task in ("t2i", "ti2i", "i2i"))
    count = (batch.references[:, :, 0] > 0).sum(axis=1)[:, None]
    seen = [
        np.hstack([batch.references[which, n], rows[which], np.full((int(which.sum()), 1), n)])
        for n in range(batch.references.shape[1])
        for which in [edits & (batch.references[:, n, 0] > 0)]
    ]
    return {
        "target": np.hstack([buckets, rows, keeps]),
        "reference": np.concatenate(seen).astype(np.int64),
        "caption": rows[worded],
        "edit": np.hstack([rows, count, area])[edits],
        "copy": np.hstack([rows, buckets, keeps, batch.fixed[:, None], area])[copies].astype(np.int64),
    }


def _cut(kind: Kind, table: np.ndarray, name: str, samples: int) -> Iterator[Unit]:
    """``table`` in pieces; pictures of one size lie together, for it is sorted by size first."""
    groups = [table] if len(table) else []
    if kind in ("target", "reference"):
        changes = np.flatnonzero(np.any(np.diff(table[:, :2], axis=0), axis=1)) + 1
        groups = np.split(table, changes) if len(table) else []
    for group in groups:
        size = f"-{group[0, 0]}x{group[0, 1]}" if kind in ("target", "reference") else ""
        for number, first in enumerate(range(0, len(group), samples)):
            yield Unit(f"{name}-{kind}{size}-{number:05d}.parquet", kind, group[first : first + samples])
