"""One URL after the other, many at a time: every one ends with bytes, or with a reason of the closed list.

fetch ─> tries ─> hops ─> robots.txt ─> the host's turn ─> one request: status, headers, body
           │        └ a redirect: canonical, checked and asked for like any other URL
           └ again after a wait, for what another try may mend
"""

from __future__ import annotations

import asyncio
import datetime
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import NoReturn

import aiohttp
from yarl import URL

from pipeline.downloads.body import Room, read_picture, read_start
from pipeline.downloads.canonical import canonical, join
from pipeline.downloads.config import DownloadsConfig
from pipeline.downloads.headers import opted_out, retry_after
from pipeline.downloads.limiter import Limiter
from pipeline.downloads.reasons import NOT_MODIFIED, OK, Stopped
from pipeline.downloads.resolver import Pins
from pipeline.downloads.robots import MAX_BYTES, Robots, RobotsFile
from pipeline.downloads.status import check_status

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONDITIONS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
"""What a response says of its bytes, and how a later request asks about it (RFC 9110 13)."""
_LARGE_BYTES = 10**9
"""That large bodies under way may take together; chosen."""
_ROBOTS_REDIRECTS = 5
"""As many as RFC 9309 asks for."""


@dataclass(frozen=True)
class Download:
    """How a URL ended. ``url``: canonical, as asked for where it is none; ``final_url``: after redirects. ``status``:
    of the last response, null where there was none. ``reason``: of REASONS; ``error``: more about it. ``tries``: how
    often it was asked for. ``body``: the bytes of the picture where the reason is ``ok``."""

    url: str
    reason: str = OK
    error: str | None = None
    final_url: str | None = None
    status: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    tries: int = 0
    body: bytes = b""


@dataclass
class _Trail:
    """Where a try has come to, also when it ends in the middle."""

    url: URL
    status: int | None = None


class Fetcher:
    """Fetches URLs; use as an async context manager. ``max_bytes``: of one picture. ``context``: which certificates
    are trusted; None: those that the system does."""

    def __init__(self, config: DownloadsConfig, max_bytes: int, context: ssl.SSLContext | None = None) -> None:
        self._config = config
        self._max_bytes = min(max_bytes, config.max_bytes)
        self._context = context
        self._room = Room(max(1, _LARGE_BYTES // self._max_bytes))
        self._pins = Pins(config.allow)
        self._limiter = Limiter(config.per_host, config.rate, config.connections, time.monotonic)
        self._robots = Robots(config.robot, self._robots_file, time.monotonic)

    async def __aenter__(self) -> Fetcher:
        connector = aiohttp.TCPConnector(
            resolver=self._pins, use_dns_cache=False, limit=0, ssl=self._context or ssl.create_default_context()
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._config.header, "Accept": "image/*, */*;q=0.1", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # ``_request`` has the one limit
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._session.close()

    async def fetch(self, text: str, known: Mapping[str, str | None] | None = None) -> Download:
        """The end of one URL. ``known``: what an earlier response said of its bytes (ETag, Last-Modified): the server
        is asked whether they have changed."""
        try:
            return await self._tried(canonical(text), known)
        except Stopped as stopped:
            return Download(text, stopped.reason, _plain(str(stopped)))
        except Exception as error:  # whatever a server provokes costs its URL alone
            return Download(text, "error", _plain(repr(error)))

    async def _tried(self, url: URL, known: Mapping[str, str | None] | None) -> Download:
        conditions = {_CONDITIONS[name]: value for name, value in (known or {}).items() if value}
        for number in range(1, self._config.tries + 1):
            trail = _Trail(url)
            try:
                download = await self._follow(trail, conditions)
                return replace(download, url=str(url), tries=number)
            except Stopped as stopped:
                last = Download(
                    str(url), stopped.reason, _plain(str(stopped)), str(trail.url), trail.status, tries=number
                )
                if number == self._config.tries or not await self._may_try_again(trail.url, number, stopped):
                    break
        return last

    async def _may_try_again(self, url: URL, number: int, stopped: Stopped) -> bool:
        """Whether another try makes sense; waits until it does."""
        if not stopped.again or (stopped.wait_s or 0.0) > self._config.longest_wait_s:
            return False
        # Chance, so that those who failed together do not come back together.
        wait = self._config.backoff_s * 2 ** (number - 1) * random.uniform(0.5, 1.0)
        if stopped.reason == "rate_limited":
            self._limiter.hold(url.raw_host or "", wait if stopped.wait_s is None else stopped.wait_s)
        else:
            await asyncio.sleep(wait)
        return True

    async def _follow(self, trail: _Trail, headers: dict[str, str]) -> Download:
        """One try: the URL and all that it redirects to. Raises Stopped."""
        seen = set()
        for _ in range(self._config.redirects + 1):
            seen.add(trail.url)
            await self._check_robots(trail.url)
            target = await self._request(trail, headers)
            if isinstance(target, Download):
                return target
            trail.url = target
            if target in seen:
                raise Stopped("redirects", f"redirects in a circle, back to {target}")
        raise Stopped("redirects", f"more than downloads.redirects = {self._config.redirects}")

    async def _check_robots(self, url: URL) -> None:
        if not self._config.robots:
            return
        delay = await self._robots.check(url)
        if delay > self._config.longest_wait_s:
            raise Stopped("robots", f"robots.txt wants {delay:g} s between requests, above downloads.longest_wait_s")
        if delay:
            self._limiter.slow_down(url.raw_host or "", delay)

    async def _request(self, trail: _Trail, headers: dict[str, str]) -> Download | URL:
        """One request: how it ended, or where it redirects to. Raises Stopped."""
        async with self._limiter.turn(trail.url.raw_host or ""):
            try:
                async with asyncio.timeout(self._config.timeout_s) as clock:
                    return await self._exchange(trail, headers, clock)
            except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
                self._translate(error, trail.url)

    async def _exchange(self, trail: _Trail, headers: dict[str, str], clock: asyncio.Timeout) -> Download | URL:
        await self._pins.addresses(trail.url.raw_host or "", trail.url.port or 0)  # aiohttp asks for names alone
        async with self._session.get(trail.url, allow_redirects=False, headers=headers) as response:
            trail.status = response.status
            if response.status in _REDIRECTS:
                return self._target(trail.url, response)
            if self._config.opt_outs:
                self._check_opt_out(response)
            etag, modified = (_ascii(response.headers.get(name)) for name in ("ETag", "Last-Modified"))
            found = Download("", final_url=str(trail.url), status=response.status, etag=etag, last_modified=modified)
            if response.status == 304 and headers:
                return replace(found, reason=NOT_MODIFIED)
            wait = retry_after(response.headers.get("Retry-After"), datetime.datetime.now(datetime.UTC))
            check_status(response.status, wait)
            return replace(found, body=await read_picture(response, self._max_bytes, self._room, clock))

    def _target(self, url: URL, response: aiohttp.ClientResponse) -> URL:
        location = response.headers.get("Location")
        if not location:
            raise Stopped("redirects", f"status {response.status} without Location")
        return join(url, location)

    def _check_opt_out(self, response: aiohttp.ClientResponse) -> None:
        tags, reservations = (response.headers.getall(n, []) for n in ("X-Robots-Tag", "TDM-Reservation"))
        if why := opted_out(tags, reservations, self._config.robot):
            raise Stopped("opted_out", why)

    async def _robots_file(self, url: URL) -> RobotsFile:
        """What ``url`` and its redirects answer with. Raises Stopped."""
        for _ in range(_ROBOTS_REDIRECTS + 1):
            async with self._limiter.turn(url.raw_host or ""):
                try:
                    async with asyncio.timeout(self._config.timeout_s):
                        found = await self._robots_response(url)
                except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
                    self._translate(error, url)
            if isinstance(found, RobotsFile):
                return found
            url = found
        return RobotsFile(404, b"")  # more redirects than one must follow count as no file (RFC 9309 2.3.1.2)

    async def _robots_response(self, url: URL) -> RobotsFile | URL:
        await self._pins.addresses(url.raw_host or "", url.port or 0)
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status in _REDIRECTS:
                return self._target(url, response)
            return RobotsFile(response.status, await read_start(response, MAX_BYTES))

    def _translate(self, error: Exception, url: URL) -> NoReturn:
        """Raise the Stopped that an error of aiohttp's means."""
        stopped = _stopped(error, self._config.timeout_s)
        if stopped.reason == "connect":
            self._pins.forget(url.raw_host or "")
        raise stopped from None


def _plain(text: str) -> str:
    """A message that can be written as UTF-8: headers may hold any bytes."""
    return text[:500].encode("utf-8", "backslashreplace").decode()


def _ascii(value: str | None) -> str | None:
    """A header that can be sent back as it is; None where it cannot."""
    return value if value and value.isascii() and value.isprintable() else None


def _stopped(error: Exception, timeout_s: float) -> Stopped:
    text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return Stopped("tls", text)
    if isinstance(error, TimeoutError):
        return Stopped("timeout", f"no whole response within downloads.timeout_s = {timeout_s:g}")
    if isinstance(error, aiohttp.ClientPayloadError):
        return Stopped("truncated", text)
    if isinstance(error, aiohttp.InvalidURL):
        return Stopped("bad_url", text)
    if isinstance(error, aiohttp.ClientResponseError | ValueError):
        return Stopped("bad_response", text)
    return Stopped("connect", text)
