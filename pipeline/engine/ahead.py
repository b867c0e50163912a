"""Parts that a thread makes while the last ones are worked on: listing goes on beside collecting."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(parts: Iterator[list[T]], least: int) -> Generator[list[T]]:
    """What ``parts`` gives, in its order: each time at least ``least`` items, all that are there by then; the last
    batch holds what is left. Raises what ``parts`` raises, after what it gave before.

    The thread that asks ``parts`` stops after the part under way when the caller asks no more.
    """
    found: queue.SimpleQueue[list[T] | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()
    thread = threading.Thread(target=_make, args=(parts, found, stop), daemon=True)
    thread.start()
    try:
        batch: list[T] = []
        while (part := found.get()) is not None:
            if isinstance(part, BaseException):
                raise part
            batch += part
            if len(batch) >= least and found.empty():
                yield batch
                batch = []
        if batch:
            yield batch
    finally:
        stop.set()
        thread.join()


def _make(
    parts: Iterator[list[T]], found: queue.SimpleQueue[list[T] | BaseException | None], stop: threading.Event
) -> None:
    try:
        for part in parts:
            found.put(part)
            if stop.is_set():
                return
        found.put(None)
    except BaseException as error:  # raised again in the thread that asked
        found.put(error)
