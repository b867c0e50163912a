"""Names become addresses once, are checked, and stay: what was checked is what is connected to.

A name that answers with a public address when it is checked and with a private one when it is used ("DNS rebinding")
gets nothing, because nobody asks it twice. A name that fails to connect is asked, and checked, anew.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline.downloads.addresses import refusal
from pipeline.downloads.reasons import Stopped

_NAMES = 100_000
"""Names that are remembered before all are forgotten; chosen."""
_SECONDS = 20.0
"""For an answer; chosen. The system's resolver asks its servers for 5 s, twice."""


class Pins(AbstractResolver):
    """The addresses of all hosts of a run. ``allow``: ``host:port``, by name or by address, that need not be public."""

    def __init__(self, allow: tuple[str, ...]) -> None:
        self._allow = frozenset(allow)
        self._found: dict[str, asyncio.Future[list[str]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """As aiohttp asks before it connects. Raises Stopped."""
        return [_result(host, port, address) for address in await self.addresses(host, port)]

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where ``host:port`` is. Raises Stopped (``dns``, ``forbidden_address``)."""
        found = [host] if _is_address(host) else await self._lookup(host)
        bare = f"[{host}]" if ":" in host else host
        if f"{bare}:{port}" in self._allow:
            return found
        for address in found:
            written = f"[{address}]" if ":" in address else address
            why = None if f"{written}:{port}" in self._allow else refusal(address)
            if why:
                at = "" if address == host else f" is {address},"
                raise Stopped("forbidden_address", f"{bare}{at} {why}; port {port} is not in downloads.allow")
        return found

    def forget(self, host: str) -> None:
        """Ask anew: its addresses did not answer."""
        self._found.pop(host, None)

    async def close(self) -> None:
        """Nothing is open."""

    async def _lookup(self, host: str) -> list[str]:
        """One question for all who wait for the answer, whoever of them gives up."""
        if len(self._found) >= _NAMES:
            self._found.clear()
        if host not in self._found:
            self._found[host] = asyncio.ensure_future(_ask(host))
        try:
            return await asyncio.shield(self._found[host])
        except Stopped:
            self.forget(host)
            raise


async def _ask(host: str) -> list[str]:
    try:
        async with asyncio.timeout(_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise Stopped("dns", f"no answer about '{host}' within {_SECONDS:g} s") from None
    except (OSError, UnicodeError) as error:
        again = getattr(error, "errno", None) == socket.EAI_AGAIN
        raise Stopped("dns", f"'{host}': {getattr(error, 'strerror', None) or error}", again=again) from None
    return list(dict.fromkeys(str(place[4][0]) for place in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST
    )
