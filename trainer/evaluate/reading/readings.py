"""What was read, kept: a picture that was read once is not read again by the same reader.

    files ──sha256 of the pixels──> readings.jsonl ──known──────────────> lines
                                                   ──new──a reader──┘  appended as they come

Several readers are Ray actors (``pipeline/cluster.py``); one reads in this process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from configs import RunFailed
from configs.files import append_line
from configs.pictures import Limits, decode
from pipeline import cluster
from pipeline.progress import progress
from trainer.evaluate.base import Box
from trainer.evaluate.reading.readers import ReaderSpec, Seen

_TOGETHER = 16
"""Pictures that a reader is given at once; chosen: a server answers them side by side."""
_FAILING = 8
"""Failures in a row, with no picture read before, that are the reader's and not the pictures'; chosen."""
_LIMITS = Limits(max_bytes=1_000_000_000)


@dataclass(frozen=True)
class ToRead:
    """A picture's file, the part of it that is read (None: all), whether it is one line as a whole."""

    path: Path
    box: Box | None
    one_line: bool


@dataclass(frozen=True)
class _Part:
    """What one worker reads at once. ``keys``: of the readings."""

    name: str
    jobs: tuple[ToRead, ...]
    keys: tuple[str, ...]


def load(path: Path) -> np.ndarray:
    """uint8 (H, W, 3). Raises DecodeError, OSError."""
    return decode(path.read_bytes(), _LIMITS)


class Readings:
    """``path``: readings.jsonl, which grows. ``count``: processes that read."""

    def __init__(self, path: Path, spec: ReaderSpec, count: int) -> None:
        self._path, self._spec, self._count = path, spec, count
        self._known = dict(_kept(path))
        if path.is_file() and not path.read_bytes().endswith(
            b"\n"
        ):  # what a killed process left is no part of the next
            append_line(path, "")

    def read(self, jobs: Sequence[ToRead], what: str) -> list[Seen]:
        """What is seen in each. Raises RunFailed where the reader dies, or fails on all it is given first."""
        keys = [_key(job, self._spec.key) for job in jobs]
        new = {key: job for key, job in zip(keys, jobs, strict=True) if key not in self._known}
        parts = [_part(list(new.items())[i : i + _TOGETHER]) for i in range(0, len(new), _TOGETHER)]
        read = failed = 0
        if parts:
            with progress(f"read {what}", len(new), "pictures") as counter:
                for part, found in self._work(parts):
                    for key, seen in zip(part.keys, found, strict=True):
                        self._keep(key, seen)
                    read += sum(seen.lines is not None for seen in found)
                    failed += sum(seen.lines is None for seen in found)
                    counter.add(len(found))
                    if failed >= _FAILING and not read:
                        raise RunFailed(f"reader: cannot read any picture: {found[-1].fault}; pictures are kept")
        return [self._known[key] for key in keys]

    def _work(self, parts: Sequence[_Part]) -> Iterator[tuple[_Part, list[Seen]]]:
        if self._count > 1:
            yield from cluster.each(parts, "read", _Worker, (self._spec,), workers=self._count)
            return
        worker = _Worker(self._spec)
        yield from map(worker, parts)

    def _keep(self, key: str, seen: Seen) -> None:
        self._known[key] = seen
        if seen.lines is not None:  # what failed is tried again by the next command
            append_line(self._path, json.dumps({"key": key, "lines": seen.lines}, ensure_ascii=False))


class _Worker:
    def __init__(self, spec: ReaderSpec) -> None:
        self._reader = spec.open()

    def __call__(self, part: _Part) -> tuple[_Part, list[Seen]]:
        found: list[Seen] = []
        for one_line in dict.fromkeys(job.one_line for job in part.jobs):
            pictures = [_cut(load(job.path), job.box) for job in part.jobs if job.one_line == one_line]
            found += self._reader.read(pictures, one_line)
        return part, found


def _part(jobs: Sequence[tuple[str, ToRead]]) -> _Part:
    ordered = sorted(jobs, key=lambda each: not each[1].one_line)  # as the worker goes through them
    return _Part(ordered[0][1].path.name, tuple(j for _, j in ordered), tuple(k for k, _ in ordered))


def _cut(picture: np.ndarray, box: Box | None) -> np.ndarray:
    if box is None:
        return picture
    left, top, right, bottom = box
    return np.ascontiguousarray(picture[top:bottom, left:right])


def _key(job: ToRead, reader: str) -> str:
    """Of pixels, what is read of them, and who reads."""
    picture = _cut(load(job.path), job.box)
    found = hashlib.sha256(f"{reader} {job.one_line} {picture.shape}".encode())
    found.update(picture.tobytes())
    return found.hexdigest()


def _kept(path: Path) -> Iterator[tuple[str, Seen]]:
    """A killed process may have left half a line: that picture is read again."""
    if not path.is_file():
        return
    for line in path.read_text("utf-8").splitlines():
        try:
            kept: Any = json.loads(line)
            yield kept["key"], Seen(tuple(kept["lines"]))
        except (ValueError, KeyError, TypeError):
            continue
