"""Connect to a cluster and send items through workers.

    items ──> worker ──> worker ──> results        one item = one fragment or one shard
              (a pool each, all at work at the same time)

Items and results are small (names of files, counts); bytes go through files. Few items are worked on by threads of the
command (``threads.py``), all others on Ray (``ray_flow.py``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from configs import RunFailed, UserError
from pipeline import ray_flow, threads


class Item(Protocol):
    """What travels between workers: picklable, ``name`` stands for it in messages."""

    @property
    def name(self) -> str: ...


Worker = Callable[..., Callable[[Any], Any]]
"""A class (or factory) at the top level of a module; an instance turns an item into the next one."""

_STARTS = 3
_SLOW_START = "timed out during startup"
"""Ray gives its own start 30 s, which a machine that is busy with other things can need more than once."""


@dataclass(frozen=True)
class ClusterConfig:
    """Where work runs. ``address``: ``local`` starts Ray for this command and ends it with it; ``auto`` or
    ``host:port`` joins a running cluster. Inside ``ray job submit`` the job's cluster is used whatever stands here.
    ``cpus``: of a local cluster; null takes all that the machine has. ``small``: a step of at most so many fragments or
    shards that wants no GPU is worked on by threads of the command, where the address is ``local`` and Ray does not run
    yet; 0: all on Ray.

    ``max_retries``: how often a fragment whose worker died is tried again. ``max_restarts``: how often one worker is
    started again during a step. What still cannot be done then stops the run and is named.
    ``stall_s``: seconds without progress after which a fragment is named; ``stall_stop_s``: after which the run stops.
    """

    address: str = "local"
    cpus: int | None = None
    small: int = 2  # chosen: with 256 inputs each they take about as long as Ray takes to start
    max_restarts: int = 16  # chosen: a worker that the kernel ends now and then survives a long run
    max_retries: int = 3  # chosen
    stall_s: float = 300.0  # chosen: a picture may take guard.seconds
    stall_stop_s: float = 3600.0  # chosen

    def __post_init__(self) -> None:
        if self.address not in ("local", "auto") and not re.fullmatch(r"[^/\s]+:\d+", self.address):
            raise ValueError(f"field 'address': local, auto or host:port, found '{self.address}'")
        if self.cpus is not None and self.cpus < 1:
            raise ValueError(f"field 'cpus': must be at least 1, found {self.cpus}")
        for name in ("small", "max_restarts", "max_retries"):
            if getattr(self, name) < 0:
                raise ValueError(f"field '{name}': must be at least 0, found {getattr(self, name)}")
        if not 0 < self.stall_s <= self.stall_stop_s:
            raise ValueError(
                f"fields 'stall_s' and 'stall_stop_s': expected 0 < stall_s <= stall_stop_s, "
                f"found {self.stall_s:g} and {self.stall_stop_s:g}"
            )


@dataclass(frozen=True)
class Step:
    """A pool of workers: the name that people know it by, what it runs, what one worker takes from the cluster, how
    many there may be."""

    name: str
    worker: Worker
    args: tuple[Any, ...] = ()
    cpus: float = 1.0
    gpus: float = 0.0
    workers: int | None = None  # at most; None: as many as the CPUs allow


def in_job() -> bool:
    """Whether this process is the entrypoint of a ``ray job submit``: its folder is a throw-away copy."""
    return "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ  # the name Ray's job supervisor gives its own variable


def prepare(items: int, config: ClusterConfig, gpus: float = 0.0) -> None:
    """Connect, where ``flow`` would for so many items, before the clock of a step starts."""
    if _wants_ray(items, config, gpus):
        connect(config)


def _wants_ray(items: int, config: ClusterConfig, gpus: float) -> bool:
    if items > config.small or config.address != "local" or gpus > 0 or in_job():
        return True
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized()


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
    for _ in range(_STARTS):
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
        with _own_sigterm(), _quiet_stderr():
            ray.init(**settings)
    except ConnectionError as error:
        where = settings.get("address")
        raise UserError(f"field 'cluster.address': no Ray cluster answers at '{where}' ({error})") from None
    except Exception as error:
        if _SLOW_START not in str(error):  # Ray has no class of its own for it
            raise
        ray.shutdown()
        return False
    return True


def disconnect() -> None:
    """Leave the cluster; a local one ends."""
    import ray

    ray.shutdown()


def is_up() -> bool:
    """Whether the head of the cluster answers; what signals a whole process group ends a local one, too."""
    import ray

    try:
        _check_reachable(ray.get_runtime_context().gcs_address)
    except UserError:
        return False
    return True


def each(
    items: Sequence[Item],
    name: str,
    worker: Worker,
    args: tuple[Any, ...] = (),
    config: ClusterConfig | None = None,
    **resources: Any,
) -> Iterator[Any]:
    """Send every item through a pool of ``worker(*args)``; yield results in the order in which they are ready.

    ``name`` and ``resources`` are the fields of ``Step``. Raises as ``flow`` does.
    """
    return flow(items, [Step(name, worker, args, **resources)], config)


def flow(items: Sequence[Item], steps: Sequence[Step], config: ClusterConfig | None = None) -> Iterator[Any]:
    """Send every item through all ``steps`` in turn, all steps working at the same time.

    Raises RunFailed or UserError as a worker raised it, and RunFailed for an item of which workers keep dying or that
    makes no progress for ``config.stall_stop_s``.
    """
    if not items:
        return
    config = config or ClusterConfig()
    if not _wants_ray(len(items), config, max(step.gpus for step in steps)):
        yield from threads.flow(items, steps, config.cpus or len(os.sched_getaffinity(0)))
        return
    connect(config)
    _check_gpus(steps)
    yield from ray_flow.flow(items, steps, config)


def _check_gpus(steps: Sequence[Step]) -> None:
    """Raise UserError where workers want a GPU that the cluster lacks: Ray would wait for one for ever."""
    import ray

    wanting = next((step for step in steps if step.gpus), None)
    if wanting and not ray.cluster_resources().get("GPU"):
        raise UserError(
            f"{wanting.name} wants {wanting.gpus:g} of a GPU, and the cluster has none; gpus: 0 runs on CPUs"
        )


def _silence() -> None:
    """Silence Ray's console logging; its session logs keep everything."""
    import ray.data

    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # Ray's C++ half writes straight to this process's stderr
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    if ray_flow.Executions not in context.custom_execution_callback_classes:
        context.custom_execution_callback_classes.append(ray_flow.Executions)  # type: ignore[arg-type]
    context.execution_no_progress_timeout_s = -1  # half an hour by default, less than a large fragment may take
    for name in ("ray", "ray.data"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.ERROR)
        logger.propagate = False


@contextlib.contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it starts, and would abort on it; a command has its own use for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as ended:
        if ended.code != signal.SIGTERM:
            raise
        signal.signal(signal.SIGTERM, before)
        signal.raise_signal(signal.SIGTERM)  # Ray's handler was already there
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep off the terminal what Ray's C++ half prints while it starts."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
