"""What a source is: it lists its inputs once, and reads one of them at a time wherever it is asked to.

in the command:  check() ─> entries() ──> ledger
in a child:      reader() ─> setup() ─> read(ledger row) ──> sample row, or Refused

A source of one's own is named in the config as ``kind: package.module:Class`` (configs/kinds.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from configs.pictures import probe
from pipeline.store.ledger import Entry

if TYPE_CHECKING:
    from configs.pictures import Limits

Remark = Callable[[str], None]
"""Takes one line for the user, printed when the listing has ended."""


class Refused(Exception):
    """This input cannot become a sample; the message is what failures/ keeps. ``reason``: which of
    store/failures.py's REASONS that is."""

    def __init__(self, message: str, reason: str = "unreadable") -> None:
        super().__init__(message)
        self.reason = reason


def refuse_listed(entry: Mapping[str, Any]) -> None:
    """Raise Refused for a ledger row of which listing knew already that it cannot be read."""
    if entry["refused"]:
        raise Refused(entry["refused"], entry.get("reason") or "unreadable")


class Reader(ABC):
    """Reads inputs of one source inside a child process. Picklable before ``setup``."""

    def setup(self) -> None:  # noqa: B027 - most readers have nothing to open
        """Open what reading needs; called once, before the first ``read``."""

    @abstractmethod
    def read(self, entry: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        """The columns of schema.COLLECTED for a ledger row. Raises Refused or DecodeError."""


@dataclass(frozen=True)
class Source(ABC):
    """The config of a source, and how its inputs are listed. Derived classes are frozen dataclasses too.

    ``kind``: which source it is. ``name``: of the ledger and the fragments, unique within a config.
    """

    kind: str
    name: str

    paths: ClassVar[tuple[str, ...]] = ()
    """Fields that hold the path of a file or folder."""
    looks_again: ClassVar[bool] = False
    """Whether its reader finds out itself, when an input is tried again, what listing refused it for."""
    downloads: ClassVar[bool | Literal["some"]] = False
    """Whether its pictures, or some of them, lie on the web: its reader finds what came of ``urls(entry)`` in
    ``entry["downloads"]``."""
    synthetic: ClassVar[bool] = False
    """Whether its pictures are rendered; their rows then have a ``recipe``."""

    @abstractmethod
    def entries(self, where: str, remark: Remark) -> Iterator[Entry]:
        """All inputs, one at a time, in the same order whenever the source is the same.

        ``where`` names the source in errors (``sources.0``). ``remark`` is called with what the user should know,
        such as what was left out. Raises UserError.
        """

    @abstractmethod
    def reader(self) -> Reader:
        """Reads the listed inputs."""

    def check(self, where: str) -> None:  # noqa: B027 - not every source can be checked in advance
        """Raise UserError naming the field when something that listing or reading needs is not there."""

    def check_listed(self, where: str, first: Mapping[str, Any]) -> None:  # noqa: B027
        """Raise UserError when other inputs would be read now than were listed. ``first``: the first ledger row."""

    def urls(self, entry: Mapping[str, Any]) -> Sequence[str]:
        """Of a ledger row, the URLs to fetch before it is read."""
        return ()

    def holds(self, path: Path) -> bool:
        """Whether files written to ``path`` would be inputs."""
        return False

    def absolute(self) -> Self:
        """The source with absolute ``paths``, so that it means the same in any working directory; URLs stay."""
        found = {name: getattr(self, name) for name in self.paths}
        local = {n: os.path.abspath(p) for n, p in found.items() if p and "://" not in p}
        return dataclasses.replace(self, **local) if local else self


def picture_row(data: bytes, limits: Limits) -> dict[str, Any]:
    """The columns that the bytes of a picture give by themselves. Raises Refused or DecodeError."""
    header = probe(data, limits)
    return {
        "image": {"bytes": data, "path": None},
        "width": header.width,
        "height": header.height,
        "orientation": header.orientation,
        "format": header.format,
        "bytes_len": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "task": "t2i",
    }
