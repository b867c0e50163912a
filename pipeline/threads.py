"""A few fragments, worked on by threads of the command itself: Ray takes longer to start than they take.

    items ──a queue──> threads, each with a worker of every step ──> results in the order in which they are ready

Pictures are looked at in guarded children as ever, so that the threads mostly wait for them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from configs import RunFailed, UserError
from pipeline.sandbox.guard import Stopped, stop_by
from pipeline.watch import HOW_TO_GO_ON

if TYPE_CHECKING:
    from pipeline.cluster import Item, Step

_END_SECONDS = 10.0
"""For threads to end once they are told to; what works outside of a guarded child does not listen. Chosen."""


def flow(items: Sequence[Item], steps: Sequence[Step], threads: int) -> Iterator[Any]:
    """As ``cluster.flow``, by at most so many threads. Whatever a worker raises is raised here, and ends the others."""
    todo: queue.SimpleQueue[Item] = queue.SimpleQueue()
    for item in items:
        todo.put(item)
    found: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
    stop = threading.Event()
    count = min(len(items), threads, *(step.workers for step in steps if step.workers))
    pool = [threading.Thread(target=_work, args=(todo, steps, found, stop), daemon=True) for _ in range(count)]
    for thread in pool:
        thread.start()
    try:
        for _ in items:
            result, error = found.get()
            if error:
                raise error
            yield result
    finally:
        stop.set()
        for thread in pool:
            thread.join(_END_SECONDS)


def _work(
    todo: queue.SimpleQueue[Item],
    steps: Sequence[Step],
    found: queue.SimpleQueue[tuple[Any, BaseException | None]],
    stop: threading.Event,
) -> None:
    """One thread: items until there are none."""
    stop_by(stop)
    workers: list[Any] = []
    try:
        workers += map(_started, steps)
        while not stop.is_set():
            item: Any = todo.get_nowait()
            for worker in workers:
                item = worker(item)
            found.put((item, None))
    except (queue.Empty, Stopped):
        return
    except BaseException as error:  # raised again by the thread that asked
        found.put((None, error))
    finally:
        for worker in workers:
            getattr(worker, "close", lambda: None)()


def _started(step: Step) -> Any:
    try:
        return step.worker(*step.args)
    except (UserError, RunFailed):
        raise
    except Exception as error:
        raise RunFailed(f"{step.name}: its worker cannot start: {error!r}; {HOW_TO_GO_ON} once it can") from error
