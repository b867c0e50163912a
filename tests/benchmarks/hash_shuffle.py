"""The search for near hashes as a shuffle: ``python -m tests.benchmarks.hash_shuffle [--rows N] [--here] [--check]``.

For each choice of two of six blocks of bits (or three of seven; radius 4, docs/scale.md) every row goes to the bucket of
these bits:

    rows of a piece ──map──> (hash, row) by bucket ──shuffle──> a bucket's rows ──sort, compare──> true pairs ──> greedy

Map and compare are tasks of Ray on this machine; with ``--here`` they run one after the other in this process, a bucket at
a time, which shows what memory a bucket needs. A twentieth of the rows are within 4 bits of an earlier one. ``--check``:
the copies are those of ``pipeline/decide/near.py``. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pipeline.decide.near import NearRows, greedy_near

_RADIUS, _BITS = 4, 64
_Shuffle = Callable[[int, Sequence[np.uint64], int], Iterator[np.ndarray]]
"""Rows, choices of blocks, and the number of one of them -> pairs."""
_PIECE = 1 << 20
"""Rows that one task draws and sorts into buckets."""
_BUCKET = 1 << 20
"""Rows of a bucket, about; chosen: 16 MB that move, 100 MB while they are compared."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--here", action="store_true", help="without Ray")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--shared", type=int, default=2, help="blocks that a bucket shares, of 4 more than that")
    parser.add_argument("--masks", type=int, help="of all choices of blocks the first so many")
    given = parser.parse_args()
    shuffle, masks = _here if given.here else _on_ray(), masks_of(given.shared)
    begun, spent = time.monotonic(), time.process_time()
    found = []
    for number in range(given.masks or len(masks)):
        found += shuffle(given.rows, masks, number)
        print(f"mask {number}: {sum(map(len, found)):,} pairs, {time.monotonic() - begun:.0f} s", flush=True)
    of = greedy(np.concatenate(found), given.rows)
    told: dict[str, Any] = {
        "rows": given.rows,
        "radius": _RADIUS,
        "shared": given.shared,
        "masks": given.masks or len(masks),
        "on": "here" if given.here else "ray",
    }
    told |= {"copies": int((of != np.arange(given.rows)).sum()), "pairs": sum(map(len, found))}
    told |= {"seconds": round(time.monotonic() - begun, 1), "cpu_seconds_here": round(time.process_time() - spent, 1)}
    told |= {"peak_gb_here": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)}
    if given.check:
        none = np.zeros(given.rows, np.uint16)
        rows = NearRows(hashes_of(0, given.rows), np.zeros(given.rows, np.uint64), none, none, none)
        told["equal"] = bool((greedy_near(rows, _RADIUS, lambda a, b: np.ones(len(a), bool)) == of).all())
    print(json.dumps(told))


def hashes_of(start: int, end: int) -> np.ndarray:
    """uint64 hashes of rows, the same whatever piece they are drawn in."""
    rows = np.arange(start, end).astype(np.uint64)
    is_copy = _mixed(rows, 1) % np.uint64(20) == 0
    drawn = _mixed(np.where(is_copy, _mixed(rows, 2) % np.maximum(rows, np.uint64(1)), rows), 3)
    for turn in range(3):  # so that a chain of two is now and then out of reach
        flipped = np.uint64(1) << (_mixed(rows, 4 + turn) % np.uint64(64))
        drawn = np.where(is_copy, drawn ^ flipped, drawn)
    return drawn


def buckets_of(start: int, end: int, mask: np.uint64, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(hashes, rows) of a piece by bucket."""
    hashes = hashes_of(start, end)
    bucket = (_mixed(hashes & mask, 9) % np.uint64(count)).astype(np.uint16)
    order = np.argsort(bucket, kind="stable")
    ends = np.cumsum(np.bincount(bucket, minlength=count))
    pairs = zip(np.split(hashes[order], ends[:-1]), np.split(start + order, ends[:-1]), strict=True)
    return list(pairs)


def compare(parts: Sequence[tuple[np.ndarray, np.ndarray]], masks: Sequence[np.uint64], number: int) -> np.ndarray:
    """int64 (P, 2): of the rows of a bucket the pairs that are near and share the blocks of no earlier mask, under which
    they are found elsewhere; the smaller row first."""
    hashes, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
    keys = hashes & masks[number]
    order = np.argsort(keys)
    hashes, rows, keys = hashes[order], rows[order], keys[order]
    found = [np.empty((0, 2), np.int64)]
    for apart in itertools.count(1):  # few rows share a key: neighbors, those after the next, and so on
        same = np.flatnonzero(keys[apart:] == keys[:-apart])
        if not len(same):
            return np.concatenate(found)
        unlike = hashes[same] ^ hashes[same + apart]
        true = np.bitwise_count(unlike) <= _RADIUS
        for mask in masks[:number]:
            true &= (unlike & mask) != 0
        pairs = np.column_stack((rows[same], rows[same + apart]))[true]
        found.append(np.sort(pairs, axis=1))
    raise AssertionError


def greedy(pairs: np.ndarray, count: int) -> np.ndarray:
    """int64 (N,): the row that each is a copy of, itself where it is kept."""
    copies: dict[int, int] = {}
    for first, second in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))].tolist():
        if second not in copies and first not in copies:
            copies[second] = first
    of = np.arange(count)
    of[list(copies)] = list(copies.values())
    return of


def _here(rows: int, masks: Sequence[np.uint64], number: int) -> Iterator[np.ndarray]:
    count = _count(rows)
    pieces = [buckets_of(start, end, masks[number], count) for start, end in _pieces(rows)]
    for bucket in range(count):
        yield compare([piece[bucket] for piece in pieces], masks, number)


def _on_ray() -> _Shuffle:
    import ray

    ray.init(log_to_driver=False, include_dashboard=False)
    split, join = ray.remote(buckets_of), ray.remote(lambda masks, number, *parts: compare(parts, masks, number))

    def shuffle(rows: int, masks: Sequence[np.uint64], number: int) -> Iterator[np.ndarray]:
        count = _count(rows)
        pieces = [split.options(num_returns=count).remote(*piece, masks[number], count) for piece in _pieces(rows)]
        yield from ray.get([join.remote(masks, number, *parts) for parts in zip(*pieces, strict=True)])

    return shuffle


def _pieces(rows: int) -> list[tuple[int, int]]:
    return [(start, min(start + _PIECE, rows)) for start in range(0, rows, _PIECE)]


def _count(rows: int) -> int:
    return max(2, rows // _BUCKET)


def masks_of(shared: int) -> list[np.uint64]:
    """Of radius + ``shared`` blocks two near hashes share at least ``shared``: all choices of so many."""
    edges = np.linspace(0, _BITS, _RADIUS + shared + 1).astype(int)
    blocks = [((1 << int(high - low)) - 1) << int(low) for low, high in itertools.pairwise(edges)]
    return [np.uint64(sum(chosen)) for chosen in itertools.combinations(blocks, shared)]


def _mixed(numbers: np.ndarray, salt: int) -> np.ndarray:
    """uint64: SplitMix64's finalizer of number and salt."""
    with np.errstate(over="ignore"):
        mixed = numbers * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt * 0xD1B54A32D192ED03 % 2**64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


if __name__ == "__main__":
    main()
