"""The only place that talks to Ray: connect to a cluster and send items through workers.

    items ──> worker ──> worker ──> results        one item = one fragment or one shard
              (a pool of actors each, growing and shrinking with its queue)

Items and results are small dicts (names of files, counts); bytes go through files. One item is one
block of one row, so Ray never mixes the contents of two fragments into one batch.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from configs import RunFailed, UserError

Item = dict[str, Any]
Worker = Callable[..., Callable[[Item], Item]]
"""A class (or factory) at the top level of a module; an instance turns an item into a result."""

MAX_BLOCKS = 4096
"""More items than this share blocks: Ray's bookkeeping per block is what limits it (ours)."""

STARTS = 3
SLOW_START = "timed out during startup"
"""Ray gives its own start 30 s, which a machine that is busy with other things can need more than once."""


@dataclass(frozen=True)
class ClusterConfig:
    """Where work runs. ``address``: ``local`` starts Ray for this command and ends it with it; ``auto`` or
    ``host:port`` joins a running cluster. Inside ``ray job submit`` the job's cluster is used whatever stands here.
    ``cpus``: of a local cluster; null takes all that the machine has."""

    address: str = "local"
    cpus: int | None = None

    def __post_init__(self) -> None:
        if self.address not in ("local", "auto") and not re.fullmatch(r"[^/\s]+:\d+", self.address):
            raise ValueError(f"field 'address': local, auto or host:port, found '{self.address}'")
        if self.cpus is not None and self.cpus < 1:
            raise ValueError(f"field 'cpus': must be at least 1, found {self.cpus}")


@dataclass(frozen=True)
class Step:
    """A pool of workers: what it runs, what one worker takes from the cluster, how many there may be."""

    worker: Worker
    args: tuple[Any, ...] = ()
    cpus: float = 1.0
    gpus: float = 0.0
    workers: int | None = None  # at most; None: as many as the CPUs allow
    name: str = field(default="")


def in_job() -> bool:
    """Whether this process is the entrypoint of a ``ray job submit``: its folder is a throw-away copy."""
    return "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ  # the name Ray's job supervisor gives its own variable


def connect(config: ClusterConfig | None = None) -> None:
    """Join or start Ray once per process; later calls do nothing.

    Raises UserError when there is no cluster at the configured address, RunFailed when a local one does not start.
    """
    import ray
    import ray.data

    if ray.is_initialized():
        return
    _silence()
    settings = _settings(config or ClusterConfig())
    for _ in range(STARTS):
        if _init(settings):
            _silence()
            return
    raise RunFailed("Ray did not start: this machine is too busy; what is committed is safe, the same command goes on")


def _settings(config: ClusterConfig) -> dict[str, Any]:
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if in_job():
        return settings
    settings["address"] = config.address
    if config.address not in ("local", "auto"):
        _check_reachable(config.address)  # Ray itself would try for many minutes
    if config.address == "local":
        settings |= {"num_cpus": config.cpus, "include_dashboard": False}
        print(f"starting Ray on {config.cpus or os.cpu_count()} CPUs", flush=True)
    return settings


def _check_reachable(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(f"field 'cluster.address': nothing answers at '{address}': {error}") from None


def _init(settings: dict[str, Any]) -> bool:
    """Whether Ray came up in the time that it gives itself."""
    import ray

    try:
        with _quiet_stderr():
            ray.init(**settings)
    except ConnectionError as error:
        where = settings.get("address")
        raise UserError(f"field 'cluster.address': no Ray cluster answers at '{where}' ({error})") from None
    except Exception as error:
        if SLOW_START not in str(error):  # Ray has no class of its own for it
            raise
        ray.shutdown()
        return False
    return True


def disconnect() -> None:
    """Leave the cluster; a local one ends."""
    import ray

    ray.shutdown()


def each(items: Sequence[Item], worker: Worker, args: tuple[Any, ...] = (), **resources: Any) -> Iterator[Item]:
    """Send every item through a pool of ``worker(*args)``; yield results in the order in which they are ready.

    ``resources`` are the fields of ``Step``. Raises RunFailed or UserError as a worker raised it.
    """
    return flow(items, [Step(worker, args, **resources)])


def flow(items: Sequence[Item], steps: Sequence[Step]) -> Iterator[Item]:
    """Send every item through all ``steps`` in turn, all steps working at the same time."""
    if not items:
        return
    connect()
    import ray.data

    rows = [{"item": pickle.dumps(item)} for item in items]
    dataset: ray.data.Dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), MAX_BLOCKS))
    for step in steps:
        dataset = dataset.map_batches(
            _Adapter,
            fn_constructor_args=(step.worker, step.args),
            batch_size=1,
            num_cpus=step.cpus,
            num_gpus=step.gpus,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=_pool(step, len(items))),
        )
    for row in dataset.iter_rows():
        result = pickle.loads(row["item"])
        if isinstance(result, UserError | RunFailed):
            raise result
        yield result


class _Adapter:
    """Ray Data's view of a worker: a batch of one pickled item in, one out.

    What a worker raises for the user travels as its result: Ray would wrap it beyond recognition.
    """

    def __init__(self, worker: Worker, args: tuple[Any, ...]) -> None:
        self.worker = worker(*args)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        return {"item": [pickle.dumps(self._one(pickle.loads(item)), protocol=5) for item in batch["item"]]}

    def _one(self, item: Item | UserError | RunFailed) -> Item | UserError | RunFailed:
        if isinstance(item, UserError | RunFailed):  # an earlier step's
            return item
        try:
            return self.worker(item)
        except (UserError, RunFailed) as error:
            return error


def _pool(step: Step, items: int) -> int:
    import ray

    room = int(ray.cluster_resources().get("CPU", 1) / step.cpus) if step.cpus else items
    return max(1, min(items, step.workers or room))


def _silence() -> None:
    """Ray speaks of its own plumbing in many voices; its files under the session's logs keep all of it."""
    import ray._private.worker
    import ray.data

    ray._private.worker._worker_logs_enabled = False  # "infinite retries remaining" whenever a worker is replaced

    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # Ray's C++ half writes straight to our stderr
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray", "ray.data"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.ERROR)
        logger.propagate = False


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep what C++ writes while Ray starts (that it has been told to be silent) off the terminal."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
