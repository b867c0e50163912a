"""What a response's headers ask of us: to wait, or not to use it."""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Iterable

_NO = ("noai", "noimageai")
_VALUED = ("max-snippet", "max-image-preview", "max-video-preview", "unavailable_after")
"""Directives of X-Robots-Tag that hold a colon themselves; any other name before a colon is a robot's."""


def retry_after(value: str | None, now: datetime.datetime) -> float | None:
    """Seconds to wait from a ``Retry-After`` header (RFC 9110 10.2.3): a number, or a date; None where it is neither."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]+", text):
        return float(text[:9])  # thirty years say as much as any number
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.UTC)
    return max(0.0, (date - now).total_seconds())


def opted_out(robots_tags: Iterable[str], reservations: Iterable[str], robot: str) -> str | None:
    """Which header reserves the response against training; None where none does.

    ``robots_tags``: values of X-Robots-Tag; those for other robots than ``robot`` do not count. ``reservations``: of
    TDM-Reservation (W3C, 2024), where 1 means reserved.
    """
    for tag in robots_tags:
        found = _exclusion(tag, robot.lower())
        if found:
            return f"X-Robots-Tag: {found}"
    if any(value.strip() == "1" for value in reservations):
        return "TDM-Reservation: 1"
    return None


def _exclusion(tag: str, robot: str) -> str | None:
    """The directive of one header, ``[robot:] directive, directive ...``, that excludes us."""
    agent = ""
    for part in tag.lower().split(","):
        name, colon, rest = part.partition(":")
        if colon and name.strip() not in _VALUED:
            agent, part = name.strip(), rest
        if part.strip() in _NO and agent in ("", "*", robot):
            return part.strip()
    return None
