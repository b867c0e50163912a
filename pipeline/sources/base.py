"""What a source is: it lists its inputs once, and reads one of them at a time wherever it is asked to.

in the command:  check() ─> entries() ──> ledger
in a child:      reader() ─> setup() ─> read(ledger row) ──> sample row, or Refused
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from configs.pictures import Limits


class Refused(Exception):
    """This input is no picture for us; the message is the short reason that stands in failures/."""


class Reader(ABC):
    """Reads inputs of one source inside a child process. Picklable before ``setup``."""

    def setup(self) -> None:  # noqa: B027 - most readers have nothing to open
        """Open what reading needs; called once, before the first ``read``."""

    @abstractmethod
    def read(self, entry: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        """The columns of schema.COLLECTED for a ledger row. Raises Refused or DecodeError."""


def picture_row(data: bytes, limits: Limits) -> dict[str, Any]:
    """The columns that the bytes of a picture tell by themselves. Raises Refused or DecodeError."""
    import hashlib

    from configs.pictures import probe

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
