"""What a reader makes of a download: bytes, or why there are none; and what its picture is called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pipeline.downloads.canonical import canonical
from pipeline.sources.base import Refused

_LONGEST = 200
"""Characters of a name; chosen."""


def body_of(download: Mapping[str, Any]) -> bytes:
    """The bytes that came. Raises Refused."""
    if not download["body"]:
        raise Refused(download["error"] or download["reason"], download["reason"])
    return download["body"]


def name_of(url: str) -> str:
    """The last part of the URL's path."""
    return PurePosixPath(canonical(url).path).name[:_LONGEST]
