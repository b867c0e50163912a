"""``encode: live``: Ray actors prepare batches ahead of the step, and a dead one's work is given to another.

    Loader ──Ask──> LiveProducers ──to the actor with the least to do──> Preparer.prepare ──> Answer
                        └─ an actor died: a new one in its place, its asks are given out again

At most ``loading.ahead`` batches are under way or waiting, so the queue is bounded. A sample's tensors depend on nothing
but itself (``encoders.py``), and every actor encodes with one thread, as the loader of a process does: who prepares what
changes no bit.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from configs import RunFailed, UserError
from pipeline import cluster
from pipeline.dataset import Dataset
from trainer.config import FitConfig
from trainer.data.encoding import EncodingWork
from trainer.data.folder import Data
from trainer.data.frozen import Frozen
from trainer.data.loader import Answer, Ask, Preparers
from trainer.data.producers.digest import EncoderDigests

_GO_ON = "checkpoints are safe and the same command goes on"


@dataclass(frozen=True)
class ProducerSetup:
    """What an actor needs to be a producer of a training."""

    config: FitConfig
    base: Path
    dtype: torch.dtype
    digests: EncoderDigests | None


@dataclass(frozen=True)
class _Shared:
    """A dataset in Ray's memory. Inside of an object a reference stays one, so nobody unpacks what it knows."""

    digest: str
    reference: Any


@dataclass(eq=False)
class _Actor:
    """``held``: asks that it has not answered yet."""

    handle: Any
    held: list[_Work] = field(default_factory=list)


@dataclass(eq=False)
class _Work:
    """An ask under way. ``actor``, ``reference``: who has it now, and Ray's handle of the answer."""

    ask: Ask
    dataset: _Shared
    actor: Any = None
    reference: Any = None


class LiveProducers:
    """Implements ``trainer.data.loader.Producer`` by actors on a cluster; Ray is started where none runs."""

    pauses = False

    def __init__(self, setup: ProducerSetup) -> None:
        import ray

        self.setup, self.config = setup, setup.config.producers
        self._started = not ray.is_initialized()
        cluster.connect(self.config.cluster)
        self.deaths = 0
        self._shared: dict[str, _Shared] = {}
        self._actors = [self._start() for _ in range(self.config.count)]

    def at_work(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def submit(self, ask: Ask, dataset: Data) -> Callable[[], Answer]:
        work = _Work(ask, self._share(dataset))
        self._send(work)
        return functools.partial(self._answer, work)

    def _share(self, dataset: Data) -> _Shared:
        import ray

        if dataset.digest not in self._shared:
            # Without a packed dataset's caches, which are large.
            plain = Dataset(dataset.path, dataset.about) if isinstance(dataset, Dataset) else dataset
            self._shared[dataset.digest] = _Shared(dataset.digest, ray.put(plain))
        return self._shared[dataset.digest]

    def processes(self) -> list[int]:
        """Ids of those that live, on their machines."""
        import ray

        found = []
        for actor in self._actors:
            with contextlib.suppress(ray.exceptions.RayActorError):  # noticed when it is next given work
                found.append(ray.get(actor.handle.process.remote()))
        return found

    def close(self) -> None:
        """End the actors, and Ray if it was started for them."""
        import ray

        for actor in self._actors:
            ray.kill(actor.handle)
        if self._started:
            cluster.disconnect()

    def _start(self) -> _Actor:
        import ray

        options = {"num_cpus": self.config.cpus, "num_gpus": self.config.gpus, "max_restarts": 0}
        return _Actor(ray.remote(_Producer).options(**options).remote(self.setup))

    def _send(self, work: _Work) -> None:
        """To the actor that has the least to do."""
        actor = min(self._actors, key=lambda actor: len(actor.held))
        work.actor, work.reference = actor, actor.handle.prepare.remote(work.ask, work.dataset)
        actor.held.append(work)

    def _answer(self, work: _Work) -> Answer:
        """Raises what the producer raised for the user, and RunFailed for too many deaths or no answer for too long."""
        import ray

        limits, waited = self.config.cluster, 0.0
        while True:
            try:
                answer = ray.get(work.reference, timeout=limits.stall_s)
            except ray.exceptions.RayActorError:
                self._replace(work.actor)
                continue
            except ray.exceptions.GetTimeoutError:
                waited += limits.stall_s
                self._tell_stall(work, waited)
                continue
            work.actor.held.remove(work)
            if isinstance(answer, UserError | RunFailed):
                raise answer
            return answer

    def _tell_stall(self, work: _Work, waited: float) -> None:
        limits = self.config.cluster
        line = (
            f"encode: live: step {work.ask.batch.step} has not been prepared for {waited:.0f} s; has the cluster room?"
        )
        if waited >= limits.stall_stop_s:
            raise RunFailed(f"{line} Stopped after producers.cluster.stall_stop_s; {_GO_ON}")
        print(f"{line} The training stops after {limits.stall_stop_s:g} s of it", flush=True)

    def _replace(self, dead: _Actor) -> None:
        """A new actor, and what the dead one held to those that have the least to do."""
        self.deaths += 1
        if self.deaths > self.config.restarts:
            raise RunFailed(
                f"encode: live: producers died {self.deaths} times, more than producers.restarts = "
                f"{self.config.restarts}; most often the kernel ends them for memory (dmesg shows): fewer of them "
                f"(producers.count) leave each one more; {_GO_ON}"
            )
        print(
            f"encode: live: a producer died with {len(dead.held)} batches; others prepare them, and a new one takes its "
            f"place ({self.config.restarts - self.deaths} more times at most)",
            flush=True,
        )
        self._actors[self._actors.index(dead)] = self._start()
        for work in dead.held:
            self._send(work)
        dead.held = []


class _Producer:
    """The actor. What it raises for the user travels as its answer: Ray would wrap it beyond recognition."""

    def __init__(self, setup: ProducerSetup) -> None:
        torch.set_num_threads(1)
        device = torch.device("cuda" if setup.config.producers.gpus else "cpu")
        frozen = Frozen(setup.base, device, setup.config.max_text_tokens, tell=lambda line: None)
        self._work = functools.partial(EncodingWork, setup.config, frozen, setup.dtype, setup.digests)
        self._config = setup.config
        self._preparers: Preparers | None = None

    def process(self) -> int:
        return os.getpid()

    def prepare(self, ask: Ask, shared: _Shared) -> Answer | UserError | RunFailed:
        import ray

        try:
            if self._preparers is None:  # not in __init__: what goes wrong there is Ray's to tell
                self._preparers = Preparers(self._config, self._work())
            return self._preparers.get(shared.digest, lambda: ray.get(shared.reference)).prepare(ask)
        except (UserError, RunFailed) as error:
            return error
        except Exception as error:  # it would fail in every other producer, and Ray would not say why
            where = f"process {os.getpid()} on {socket.gethostname()}"
            return RunFailed(f"encode: live: a producer ({where}) failed: {error!r}; {_GO_ON} once it can")
