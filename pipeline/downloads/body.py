"""Bodies of responses, taken in piece by piece with an eye on their size, and unpacked where they are packed.

Pictures are asked for unpacked. A server that compresses all the same is read where it used gzip or deflate, never more
than the limit at a time, so that a small response cannot unfold to gigabytes.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import ClientResponse

from pipeline.downloads.reasons import Stopped
from pipeline.downloads.sniff import SNIFFED, describe, is_picture

_PLAIN = ("", "identity")
_GZIP = ("gzip", "x-gzip")


LARGE = 4_000_000
"""Bytes above which a body needs room that few have at the same time; chosen."""


class Room:
    """Room for ``many`` large bodies at the same time, so that memory holds whatever servers send."""

    def __init__(self, many: int) -> None:
        self._places = asyncio.Semaphore(many)

    @asynccontextmanager
    async def taken(self, clock: asyncio.Timeout) -> AsyncIterator[None]:
        """Wait for room, with the clock stopped: it is not the server that is slow."""
        begin, end = asyncio.get_running_loop().time(), clock.when()
        clock.reschedule(None)
        async with self._places:
            if end is not None:
                clock.reschedule(end + asyncio.get_running_loop().time() - begin)
            yield


async def read_picture(response: ClientResponse, max_bytes: int, room: Room, clock: asyncio.Timeout) -> bytes:
    """The body, if it begins like a picture. Raises Stopped, and aiohttp's errors where it ends early."""
    async with AsyncExitStack() as stack:
        return await _read_picture(response, max_bytes, lambda: stack.enter_async_context(room.taken(clock)))


async def _read_picture(response: ClientResponse, max_bytes: int, take_room: Callable[[], Awaitable[None]]) -> bytes:
    if (response.content_length or 0) > max_bytes:
        raise _too_large(max_bytes, "the server announces")
    data, sniffed, large = bytearray(), False, False
    async for piece in _pieces(response, max_bytes + 1):
        data += piece
        if len(data) > max_bytes:
            raise _too_large(max_bytes, "there are")
        if not large and len(data) > LARGE:
            await take_room()
            large = True
        if not sniffed and len(data) >= SNIFFED:
            _sniff(data)
            sniffed = True
    if not data:
        raise Stopped("empty", f"status {response.status} without bytes")
    if not sniffed:
        _sniff(data)
    return bytes(data)


async def read_start(response: ClientResponse, max_bytes: int) -> bytes:
    """The first ``max_bytes`` of the body, whatever it is. Raises as ``read_picture``."""
    data = bytearray()
    async for piece in _pieces(response, max_bytes):
        data += piece
        if len(data) >= max_bytes:
            break
    return bytes(data[:max_bytes])


async def _pieces(response: ClientResponse, most: int) -> AsyncIterator[bytes]:
    """The body, unpacked; it does not go on after ``most`` bytes."""
    stream = _stream(response.headers.get("Content-Encoding", "").strip().lower())
    left = most
    async for chunk in response.content.iter_any():
        piece = stream.feed(chunk, left) if stream else chunk
        left -= len(piece)
        yield piece
        if left <= 0:
            return
    if stream:
        stream.end()


def _sniff(data: bytes | bytearray) -> None:
    head = bytes(data[:SNIFFED])
    if not is_picture(head):
        raise Stopped("not_picture", f"what came is no picture but {describe(head)}")


def _too_large(max_bytes: int, who: str) -> Stopped:
    return Stopped("too_large", f"{who} more than downloads.max_megabytes = {max_bytes / 1e6:g}")


class _Packed:
    """A body in gzip or zlib. ``bits``: which, as zlib takes it."""

    def __init__(self, bits: int) -> None:
        self._stream = zlib.decompressobj(bits)

    def feed(self, chunk: bytes, room: int) -> bytes:
        """What comes out, at most ``room`` bytes."""
        try:
            return self._stream.decompress(chunk, room)
        except zlib.error as error:
            raise Stopped("encoding", f"the body is not compressed as it says: {error}") from None

    def end(self) -> None:
        """Raise Stopped unless the compressed stream came to its end."""
        if not self._stream.eof:
            raise Stopped("truncated", "the compressed body does not end")


def _stream(encoding: str) -> _Packed | None:
    if encoding in _PLAIN:
        return None
    if encoding in _GZIP:
        return _Packed(zlib.MAX_WBITS | 16)
    if encoding == "deflate":
        return _Packed(zlib.MAX_WBITS)
    raise Stopped("encoding", f"compressed by '{encoding[:40]}', which was not asked for")
