"""How often, and how many at a time, a host is asked.

    a request ──> a free place among per_host ──> a token of the host's bucket ──> a free connection of all

Places are taken in this order, so that a request that waits for its host takes no connection from the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_HOSTS = 10_000
"""Hosts that are remembered before those with nothing under way are forgotten; chosen."""


@dataclass
class TokenBucket:
    """``capacity`` requests at once, then ``rate`` a second. ``clock``: seconds, ever growing."""

    rate: float
    capacity: float
    clock: Callable[[], float]
    _tokens: float = field(init=False)
    _at: float = field(init=False)
    _shut_until: float = field(default=float("-inf"), init=False)

    def __post_init__(self) -> None:
        self._tokens, self._at = self.capacity, self.clock()

    def take(self) -> float:
        """Take a token, if need be one of the future: seconds until it is there."""
        self._tokens, self._at = self._filled() - 1, self.clock()
        return max(0.0, -self._tokens) / self.rate

    def shut(self, seconds: float) -> None:
        """Let nobody through for so long."""
        self._shut_until = max(self._shut_until, self.clock() + seconds)

    def shut_for(self) -> float:
        """Seconds until somebody may go through."""
        return max(0.0, self._shut_until - self.clock())

    def idle(self) -> bool:
        """Whether it is as if it were new."""
        return self._filled() >= self.capacity and not self.shut_for()

    def _filled(self) -> float:
        return min(self.capacity, self._tokens + (self.clock() - self._at) * self.rate)


class _Host:
    def __init__(self, per_host: int, bucket: TokenBucket) -> None:
        self.places = asyncio.Semaphore(per_host)
        self.bucket = bucket
        self.users = 0


class Limiter:
    """The limits of all hosts. A host is its name: other ports and schemes of it are the same machine to ask."""

    def __init__(self, per_host: int, rate: float, connections: int, clock: Callable[[], float]) -> None:
        self._per_host, self._rate, self._clock = per_host, rate, clock
        self._connections = asyncio.Semaphore(connections)
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait until a request to ``host`` may begin; the block is that request."""
        state = self._host(host)
        state.users += 1
        try:
            async with state.places:
                await asyncio.sleep(state.bucket.take())
                while wait := state.bucket.shut_for():
                    await asyncio.sleep(wait)
                async with self._connections:
                    yield
        finally:
            state.users -= 1

    def hold(self, host: str, seconds: float) -> None:
        """Begin no request to ``host`` for so long: it said so."""
        self._host(host).bucket.shut(seconds)

    def slow_down(self, host: str, seconds: float) -> None:
        """Leave so many seconds between two requests, as robots.txt asks."""
        bucket = self._host(host).bucket
        bucket.rate, bucket.capacity = min(bucket.rate, 1 / seconds), 1.0

    def _host(self, name: str) -> _Host:
        if name not in self._hosts:
            if len(self._hosts) >= _HOSTS:
                self._hosts = {n: h for n, h in self._hosts.items() if h.users or not h.bucket.idle()}
            self._hosts[name] = _Host(self._per_host, TokenBucket(self._rate, float(self._per_host), self._clock))
        return self._hosts[name]
