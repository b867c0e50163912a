"""robots.txt: read once per origin, then asked about every URL (RFC 9309).

Parsed by protego, Scrapy's parser: the standard library's takes the first rule that fits where the RFC wants the
longest, and knows no ``*`` and ``$`` in paths.

No robots.txt (status 4xx) allows everything. One that could not be had (5xx, 429) allows nothing, as the RFC asks. A
host that does not answer at all is asked for its robots.txt only: all its URLs end with the same reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from protego import Protego
from yarl import URL

from pipeline.downloads.reasons import Stopped

MAX_BYTES = 512_000
"""Of a robots.txt: what comes after is not read (RFC 9309 wants at least 500 KiB)."""
_FRESH, _FRESH_FAULT = 86_400.0, 300.0
"""Seconds for which a robots.txt (RFC 9309), and a fault in getting it (chosen), are remembered."""
_ORIGINS = 10_000
_ALL_BYTES = 100_000_000
"""Origins, and bytes of their files, that are remembered before the oldest are forgotten; chosen. Parsed, a file takes
several times its bytes."""


@dataclass(frozen=True)
class RobotsFile:
    """``status`` and ``body`` of the response for robots.txt, after redirects."""

    status: int
    body: bytes


@dataclass
class _Known:
    rules: asyncio.Future[Protego | None]
    until: float
    bytes: int = 0


class Robots:
    """``robot``: what rules call us. ``fetch``: gets a robots.txt, or raises Stopped. ``clock``: seconds."""

    def __init__(self, robot: str, fetch: Callable[[URL], Awaitable[RobotsFile]], clock: Callable[[], float]) -> None:
        self._robot, self._fetch, self._clock = robot, fetch, clock
        self._origins: dict[URL, _Known] = {}
        self._bytes = 0

    async def check(self, url: URL) -> float:
        """Seconds that the origin wants between two requests, 0 where it does not say. Raises Stopped: ``robots``, or
        why its robots.txt could not be had."""
        rules = await self._rules(url.origin())
        if rules is None:
            return 0.0
        if not rules.can_fetch(str(url), self._robot):
            raise Stopped("robots", f"{url.origin()}/robots.txt excludes it for {self._robot}")
        delay = float(rules.crawl_delay(self._robot) or 0.0)
        return delay if delay > 0 else 0.0  # some ask for less than nothing, or for "nan"

    async def _rules(self, origin: URL) -> Protego | None:
        known = self._origins.get(origin)
        if known is None or known.until <= self._clock():
            self._forget(origin)
            while len(self._origins) >= _ORIGINS or self._bytes > _ALL_BYTES:
                self._forget(next(iter(self._origins)))
            known = _Known(asyncio.ensure_future(self._read(origin)), self._clock() + _FRESH)
            self._origins[origin] = known
        try:
            return await asyncio.shield(known.rules)
        except Stopped:
            known.until = min(known.until, self._clock() + _FRESH_FAULT)
            raise

    def _forget(self, origin: URL) -> None:
        if known := self._origins.pop(origin, None):
            self._bytes -= known.bytes

    def _count(self, origin: URL, size: int) -> None:
        """``size`` bytes are remembered for ``origin``, unless it was forgotten meanwhile."""
        if known := self._origins.get(origin):
            known.bytes += size
            self._bytes += size

    async def _read(self, origin: URL) -> Protego | None:
        """None: everything is allowed. Raises Stopped."""
        try:
            file = await self._fetch(origin / "robots.txt")
        except Stopped as stopped:
            raise Stopped(stopped.reason, f"{origin}/robots.txt: {stopped}", again=False) from None
        if 200 <= file.status < 300:
            self._count(origin, len(file.body[:MAX_BYTES]))
            return await asyncio.to_thread(Protego.parse, file.body[:MAX_BYTES].decode("utf-8", "replace"))
        if 400 <= file.status < 500 and file.status != 429:
            return None
        raise Stopped("robots", f"{origin}/robots.txt answers with status {file.status}", again=False)
