"""Rollouts on Ray: each actor has the model, its encoders and the rewards, and takes the learner's weights with each ask.

    learner ──weights, step, places──> actors ──what was drawn, rewards──> learner

An actor that dies is started again by Ray and asked again: what it draws depends on nothing that it keeps.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from configs import RunFailed, UserError
from model.checkpoint import load_schedule
from model.qwen_image import QwenImage
from pipeline import cluster
from trainer.data.frozen import Frozen
from trainer.evaluate.base import Item
from trainer.post.grpo_config import GrpoConfig
from trainer.post.policy import Conditions, open_network
from trainer.post.reward_models import weighted
from trainer.post.rollout_worker import Drawn, Prompts, RolloutWorker
from trainer.setup import product_dtype_of

_GO_ON = "all steps before are saved with the last checkpoint, the same command goes on"


class RolloutActors:
    """``config.workers.count`` of them for the pipeline folder ``base``; Ray is started where none runs."""

    def __init__(self, config: GrpoConfig, base: Path, items: Sequence[Item]) -> None:
        import ray

        about = self._about = config.workers
        self._started = not ray.is_initialized()
        cluster.connect(about.cluster)
        options = {"num_cpus": about.cpus, "num_gpus": about.gpus, "max_restarts": about.restarts}
        actor: Any = ray.remote(_Actor).options(**options, max_task_retries=about.restarts)
        self._actors: list[Any] = [actor.remote(config, base.absolute(), tuple(items)) for _ in range(about.count)]

    def draw(self, step: int, parts: Sequence[Sequence[int]], weights: Sequence[Tensor]) -> list[Drawn]:
        """What is drawn at each of ``parts``, places in the batch, with ``weights``: those that are trained, in their
        order. Raises what an actor raised for the user, and RunFailed for too many deaths or no answer for too long."""
        import ray

        shared = ray.put([w.detach().to("cpu", copy=True) for w in weights])
        asked = [
            self._actors[n % len(self._actors)].draw.remote(shared, step, list(part)) for n, part in enumerate(parts)
        ]
        try:
            answers = ray.get(asked, timeout=self._about.cluster.stall_stop_s)
        except ray.exceptions.RayActorError:
            raise RunFailed(
                f"step {step}: rollout workers died more than workers.restarts = {self._about.restarts} times; most often "
                f"the kernel ends them for memory (dmesg shows): fewer of them, or a smaller micro_batch; {_GO_ON}"
            ) from None
        except ray.exceptions.GetTimeoutError:
            raise RunFailed(
                f"step {step}: nothing was drawn for workers.cluster.stall_stop_s = {self._about.cluster.stall_stop_s:g} s; "
                f"has the cluster room for {self._about.count} workers? {_GO_ON}"
            ) from None
        for answer in answers:
            if isinstance(answer, UserError | RunFailed):
                raise answer
        return answers

    def processes(self) -> list[int]:
        """Ids of the actors' processes, on their machines."""
        import ray

        return ray.get([actor.process.remote() for actor in self._actors])

    def close(self) -> None:
        """End the actors, and Ray if it was started for them."""
        import ray

        for actor in self._actors:
            ray.kill(actor)
        if self._started:
            cluster.disconnect()


class _Actor:
    """What it raises for the user travels as its answer: Ray would wrap it beyond recognition."""

    def __init__(self, config: GrpoConfig, base: Path, items: Sequence[Item]) -> None:
        self._config, self._base, self._items = config, base, items
        self._worker: RolloutWorker | None = None
        self._trained: list[Tensor] = []

    def process(self) -> int:
        return os.getpid()

    def draw(self, weights: Sequence[Tensor], step: int, places: Sequence[int]) -> Drawn | UserError | RunFailed:
        try:
            if self._worker is None:  # not in __init__: what goes wrong there is Ray's to tell
                self._worker = self._open()
            with torch.no_grad():
                for mine, theirs in zip(self._trained, weights, strict=True):
                    mine.copy_(theirs)
            drawn = self._worker.draw(step, places)
            return Drawn([taken.to(torch.device("cpu")) for taken in drawn.taken], drawn.rewards)
        except (UserError, RunFailed) as error:
            return error
        except Exception as error:  # it would fail in every other actor, and Ray would not say why
            where = f"process {os.getpid()} on {socket.gethostname()}"
            return RunFailed(f"step {step}: a rollout worker ({where}) failed: {error!r}; {_GO_ON} once it can")

    def _open(self) -> RolloutWorker:
        config, base = self._config, self._base
        torch.set_num_threads(max(1, int(config.workers.cpus)))
        device = torch.device("cuda" if config.workers.gpus else "cpu")
        product = product_dtype_of(config.precision, device, _say_nothing)
        model, autocast = open_network(config, base, product, device)
        self._trained = [p for p in model.parameters() if p.requires_grad]
        frozen = Frozen(base, device, config.max_text_tokens, tell=_say_nothing)
        prompts = Prompts(config, self._items, Conditions(frozen).of, model.config.in_channels)
        sampler = QwenImage(model, frozen.vae, frozen.conditioner, load_schedule(base))
        return RolloutWorker(config, prompts, weighted(config.rewards), sampler, autocast)


def _say_nothing(line: str) -> None:
    """The learner has told it."""
