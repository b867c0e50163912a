"""What a picture may do to whoever looks at it: test-only jobs and annotators, named by import path.

``Saboteur`` obeys the name of the file: ``sigsegv``, ``hang``, ``eat`` or ``raise`` in its uri.
"""

from __future__ import annotations

import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from configs.files import append_line, replace_text
from configs.pictures import Limits
from configs.storage import ObjectPath, location
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture


def obey(command: str) -> None:
    """Do what the command names, if it names anything."""
    if "sigsegv" in command:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "hang" in command:
        time.sleep(3600)
    if "eat" in command:
        hoard = []
        while True:  # ends when the guard ends us
            hoard.append(bytearray(os.urandom(1 << 16) * 256))
    if "raise" in command:
        raise ValueError(f"no good: {command}")


class Obedient:
    """A guarded job: obeys each item, answers with (item, size of its group, pid)."""

    def __init__(self, log: str | None = None) -> None:
        self.log = log

    def setup(self) -> None:
        if self.log == "broken":
            raise OSError("the weights are gone")

    def run(self, items: list[str]) -> list[tuple[str, int, int]]:
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{' '.join(items)}\n")
        for item in items:
            obey(item)
        return [(item, len(items), os.getpid()) for item in items]


@dataclass
class EqualJob(Obedient):
    """One that equals another of the same ``log``, and notes in ``log``.setups that it was loaded."""

    log: str

    def setup(self) -> None:
        append_line(Path(f"{self.log}.setups"), "setup")


class Saboteur(Annotator):
    """Decodes nothing, obeys the uri."""

    name = "saboteur"
    columns = ()
    version = "1"
    input = "bytes"
    batch_widths = (4, 1)

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        for picture in pictures:
            obey(picture.row["uri"])
        return [{} for _ in pictures]


class Mates(Annotator):
    """A model whose score depends on its batch-mates, as padded ones do; each picture takes a random while."""

    name = "mates"
    columns = (schema.COLUMNS["ocr_score"],)
    version = "1"
    input = "bytes"
    batch_widths = (4, 2, 1)

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        return [{"ocr_score": float(score)} for score in scores_of([p.row["id"] for p in pictures])]


def scores_of(ids: Sequence[str]) -> list[float]:
    """One score per id, different for different batch-mates; takes a random while per id."""
    time.sleep(sum(random.random() * 0.1 for _ in ids))
    together = sum(int(id_[:6], 16) for id_ in ids) % 997
    return [int(id_[:4], 16) % 97 + together / 1000 for id_ in ids]


class Eyes(Annotator):
    """Sees the shared decode, and crashes where the uri says ``crash-pixels``."""

    name = "eyes"
    columns = ()
    version = "1"
    input = "pixels"

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        for picture in pictures:
            assert picture.pixels is not None
            if "crash-pixels" in picture.row["uri"]:
                os.kill(os.getpid(), signal.SIGSEGV)
        return [{} for _ in pictures]


class Thumb(Annotator):
    """Sees thumbnails, in groups."""

    name = "thumb"
    columns = (schema.COLUMNS["texture"],)
    version = "1"
    input = "thumbnail"
    thumbnail_edge = 16
    batch_widths = (4,)

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        return [{"texture": float(p.thumbnails[16].std())} for p in pictures]


@dataclass(frozen=True)
class Hostages:
    """A factory of workers that offer their process to be killed: each writes its pid into ``folder`` and waits.

    After ``times`` offers of workers with this ``name`` they do the work of ``worker``."""

    name: str
    worker: Callable[..., Callable[[Any], Any]]
    folder: Path
    times: int = 1

    def __call__(self, *args: Any) -> Callable[[Any], Any]:
        worker = self.worker(*args)

        def work(item: Any) -> Any:
            if len(list(self.folder.glob(f"{self.name}-*"))) < self.times:
                offer = self.folder / f".{self.name}-{uuid.uuid4().hex}"
                offer.write_text(str(os.getpid()))
                offer.rename(offer.with_name(offer.name[1:]))
                time.sleep(3600)
            return worker(item)

        return work


@dataclass(frozen=True)
class SaboteurConfig(AnnotatorConfig):
    def make(self, limits: Limits) -> Annotator:
        return Saboteur()


@dataclass(frozen=True)
class MatesConfig(AnnotatorConfig):
    def make(self, limits: Limits) -> Annotator:
        return Mates()


@dataclass(frozen=True)
class EyesConfig(AnnotatorConfig):
    def make(self, limits: Limits) -> Annotator:
        return Eyes()


@dataclass(frozen=True)
class ThumbConfig(AnnotatorConfig):
    def make(self, limits: Limits) -> Annotator:
        return Thumb()


class Where(Annotator):
    """Notes below which raylet, that is, on which Ray node it works."""

    name = "where"
    columns = ()
    version = "1"
    input = "bytes"

    def __init__(self, log: str, nodes: int) -> None:
        self.log = location(log)
        self.nodes = nodes

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        (raylet,) = [p.pid for p in psutil.Process().parents() if p.name() == "raylet"]
        if isinstance(self.log, ObjectPath):
            replace_text(self.log / uuid.uuid4().hex, f"{raylet}\n")
        else:
            append_line(self.log, str(raylet))
        patience = time.monotonic() + 100  # one node must not do it all before the other has begun
        while len(self.seen()) < self.nodes and time.monotonic() < patience:
            time.sleep(0.2)
        return [{} for _ in pictures]

    def seen(self) -> set[str]:
        """The raylets that were noted."""
        if isinstance(self.log, ObjectPath):
            return {path.read_text().strip() for path in self.log.iterdir()}
        return set(self.log.read_text().split())


@dataclass(frozen=True)
class WhereConfig(AnnotatorConfig):
    """``nodes``: the first pictures wait until so many have begun."""

    log: str = os.devnull
    nodes: int = 1

    def make(self, limits: Limits) -> Annotator:
        return Where(self.log, self.nodes)


@dataclass(frozen=True)
class NobodyConfig(AnnotatorConfig):
    """Makes what is no annotator."""

    def make(self, limits: Limits) -> Annotator:
        return Obedient()  # type: ignore[return-value]
