"""Items through pools of Ray's actors, by Ray Data, watched.

    items ──> worker ──> worker ──> results
              (a pool of actors each, all at work at the same time)

One item is one block of one row, so Ray never mixes the contents of two fragments into one batch. ``watch.py`` follows
who holds what: a worker that dies is replaced a limited number of times, and work that stands still is named.
"""

from __future__ import annotations

import contextlib
import pickle
import queue
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from configs import RunFailed, UserError
from pipeline.watch import HOW_TO_GO_ON, Report, Reporter, Table, Watch, WatchConfig, died

if TYPE_CHECKING:
    from pipeline.cluster import ClusterConfig, Item, Step, Worker

_MAX_BLOCKS = 4096
"""More items than this share blocks: Ray's bookkeeping per block is what limits it. Chosen."""
_TICK = 2.0
"""Seconds between two looks at what the workers report, at most. Chosen."""


def flow(items: Sequence[Item], steps: Sequence[Step], config: ClusterConfig) -> Iterator[Any]:
    """As ``cluster.flow``, on the cluster that this process is connected to."""
    limits = WatchConfig(config.stall_s, config.stall_stop_s, config.max_retries)
    table = _table()
    dataset = _dataset(items, steps, config, table)
    watch = Watch(limits, steps[0].name, lambda: _ask(table))
    for row in _rows(dataset, watch):
        result = pickle.loads(row["item"])
        if isinstance(result, UserError | RunFailed):
            raise result
        yield result


def _dataset(items: Sequence[Item], steps: Sequence[Step], config: ClusterConfig, table: Any) -> Any:
    """The items in Ray Data, going through one pool of actors for each step; nothing runs yet."""
    import ray.data
    from ray.util.annotations import RayDeprecationWarning

    warnings.simplefilter("ignore", RayDeprecationWarning)  # 2.60 to 2.63 limit restarts only by these arguments
    rows = [{"item": pickle.dumps(item)} for item in items]
    dataset: ray.data.Dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MAX_BLOCKS))
    together = sum(step.cpus for step in steps)
    for step in steps:
        dataset = dataset.map_batches(
            _Adapter,
            fn_constructor_args=(step.name, step.worker, step.args, Reporter(table, config.max_retries)),
            batch_size=1,
            num_cpus=step.cpus,
            num_gpus=step.gpus,
            compute=_pool(step, together, len(items)),
            max_restarts=config.max_restarts,
            max_task_retries=config.max_restarts,  # more than that cannot happen: a fragment stays with its worker
        )
    return dataset


def _rows(dataset: Any, watch: Watch) -> Iterator[dict[str, Any]]:
    """The rows of ``dataset`` as they are ready, with a look at the workers every few seconds."""
    import ray

    found: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=64)
    stop = threading.Event()
    reader = threading.Thread(target=_read, args=(dataset, found, stop), daemon=True)
    reader.start()
    tick = min(_TICK, watch.config.stall_s / 4)
    checked = time.monotonic()
    try:
        while True:
            with contextlib.suppress(queue.Empty):
                kind, value = found.get(timeout=tick)
                if kind == "end":
                    watch.name_deaths(watch.ask())  # those since the last look
                    return
                if kind == "error" and isinstance(value, ray.exceptions.RayActorError):
                    raise RunFailed(_lost(value, watch))
                if kind == "error":
                    raise value
                yield value
            if time.monotonic() - checked >= tick:
                watch.check()
                checked = time.monotonic()
    finally:
        stop.set()
        for executor in list(Executions.running):
            executor.shutdown(force=True)  # also ends a worker that would sleep for ever
        reader.join(timeout=10)


def _read(dataset: Any, found: queue.Queue[tuple[str, Any]], stop: threading.Event) -> None:
    """Hand over rows, then ``end`` or what went wrong, until nobody listens any more."""
    last: tuple[str, Any] = ("end", None)
    try:
        for row in dataset.iter_rows():
            if not _put(found, ("row", row), stop):
                return
    except BaseException as error:  # raised again in the thread that asked
        last = ("error", error)
    _put(found, last, stop)


def _put(found: queue.Queue[tuple[str, Any]], value: tuple[str, Any], stop: threading.Event) -> bool:
    while not stop.is_set():
        with contextlib.suppress(queue.Full):
            found.put(value, timeout=0.5)
            return True
    return False


def _table() -> Any:
    """The actor to which workers report, on this machine: it lives and dies with the command."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Table).options(num_cpus=0, max_restarts=0, scheduling_strategy=here).remote()


def _ask(table: Any) -> Report:
    """What the table knows; nothing where it does not answer."""
    import ray

    try:
        return ray.get(table.report.remote(), timeout=60)
    except ray.exceptions.RayError:
        return Report()


def _lost(error: Exception, watch: Watch) -> str:
    """What to say of a worker that Ray does not start again: what it held, as far as anybody knows."""
    for key, state in watch.ask().held.items():
        if state.actor == getattr(error, "actor_id", None):
            return died(key, state.deaths + 1, state.worker)
    return f"{watch.what}: a worker died and is not started again (cluster.max_restarts); {HOW_TO_GO_ON}"


class Executions:
    """Ray Data's executions in this process, by its callbacks (``ray.data`` duck-types ``ExecutionCallback``): the
    only handle there is to one that has not given a result yet."""

    running: ClassVar[list[Any]] = []

    def before_execution_starts(self, executor: Any) -> None:
        self.running.append(executor)

    def on_execution_step(self, executor: Any) -> None:
        """Nothing to do."""

    def after_execution_succeeds(self, executor: Any) -> None:
        self.running.remove(executor)

    def after_execution_fails(self, executor: Any, error: Exception) -> None:
        self.running.remove(executor)


class _Adapter:
    """Ray Data's view of a worker: a batch of one pickled item in, one out.

    What a worker raises for the user travels as its result: Ray would wrap it beyond recognition.
    """

    def __init__(self, step: str, worker: Worker, args: tuple[Any, ...], reporter: Reporter) -> None:
        self.step, self.reporter = step, reporter
        self.failed: UserError | RunFailed | None = None
        try:
            self.worker = worker(*args)
        except (UserError, RunFailed) as error:
            self.failed = error
        except Exception as error:  # it would fail again at every restart, and Ray would not say why
            self.failed = RunFailed(f"{step}: its worker cannot start: {error!r}; {HOW_TO_GO_ON} once it can")

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        return {"item": [pickle.dumps(self._one(pickle.loads(item)), protocol=5) for item in batch["item"]]}

    def _one(self, item: Any) -> Any:
        if isinstance(item, UserError | RunFailed):  # an earlier step's
            return item
        if self.failed:
            return self.failed
        try:
            with self.reporter.working((self.step, item.name)):
                return self.worker(item)
        except (UserError, RunFailed) as error:
            return error


def _pool(step: Step, together: float, items: int) -> Any:
    """The pool of a step: as many workers as fit beside those of all other steps (which take ``together`` CPUs, one
    worker each), all from the start. A worker is given one item at a time, so that none waits behind a slow one."""
    import ray.data

    fit = int(ray.cluster_resources().get("CPU", 1) / together) if together else items
    size = max(1, min(items, fit, step.workers or fit))
    return ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1)
