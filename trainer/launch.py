"""Who starts the processes. ``launch: torchrun``: they are started already, or this is the only one.

``launch: ray``: Ray Train starts them, as many as the cluster has room for, and new ones when one is lost.

fit (this process: checks) ──TorchTrainer──> workers: the same fit, the same loop
                                └ a worker dies: all start again from the last checkpoint, with fewer or as many
"""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs import RunFailed, UserError
from configs.files import replace_text
from pipeline.cluster import connect
from trainer.config import FitConfig
from trainer.data.producers.open import check_encoding
from trainer.fit import fit
from trainer.parallel.lost import RankLost, SilentlyLost
from trainer.parallel.world import mode_of
from trainer.setup import Setup, prepare
from trainer.start import Start

_NOTES = "ray"
"""Folder in OUT where Ray Train keeps its own notes while it runs."""
_TOLD = "told.json"
"""Within it: what a worker has to tell the user."""
_MAX_FAILURES = 16
"""How often lost workers are replaced during one command (chosen)."""


def launch(config: FitConfig, out: Path, data: Path, wait: bool, start: Start) -> None:
    """Run ``fit`` as ``config.launch`` says. Raises UserError and RunFailed as ``fit`` does."""
    if config.launch == "ray":
        _check_workers(config, out, prepare(config, out, data, start))
        _fit_on_ray(config, out, data, start)
    else:
        fit(config, out, data, wait, start)


def _check_workers(config: FitConfig, out: Path, setup: Setup) -> None:
    """Raise UserError for what every worker would refuse, before Ray starts any."""
    for workers in config.num_workers:
        mode_of(config, workers, setup.base.shape.num_attention_heads)
    check_encoding(config, setup.base.existing(out), setup.datasets.digests(), max(config.num_workers))


def _fit_on_ray(config: FitConfig, out: Path, data: Path, start: Start) -> None:
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    connect()
    gpus = _has_gpus(config)
    notes = out.absolute() / _NOTES
    shutil.rmtree(notes, ignore_errors=True)  # of a command that was killed
    least, most = workers_with_room(config, gpus, ray.cluster_resources())
    workers: Any = least if least == most else (least, most)
    print(f"training in {least} to {most} workers of Ray; {out / 'metrics.jsonl'} tells how far it is", flush=True)
    trainer = TorchTrainer(
        _work,
        train_loop_config={
            "config": config,
            "out": out.absolute(),
            "data": data.absolute(),
            "start": start.absolute(),
        },
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpus),
        run_config=RunConfig(
            name=uuid.uuid4().hex,  # a name that was there before would be gone on with
            storage_path=str(notes),
            failure_config=FailureConfig(max_failures=_MAX_FAILURES),
        ),
    )
    told = None
    try:
        trainer.fit()
        told = _told(notes)
    except Exception as error:  # Ray wraps what went wrong in classes of its own
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise RunFailed(
            f"Ray Train gave up ({lines[-1].strip() if lines else type(error).__name__}); checkpoints are safe: the same "
            "command goes on from the last one"
        ) from error
    finally:
        shutil.rmtree(notes, ignore_errors=True)
        with contextlib.suppress(OSError):  # there is more in it
            out.rmdir()
    if told:
        raise told


def workers_with_room(config: FitConfig, gpus: bool, there: Mapping[str, float]) -> tuple[int, int]:
    """(fewest, most) workers that a cluster of these resources holds with the producers of ``encode: live``, which every
    worker waits for. Raises UserError where it does not hold the fewest."""
    least, most = config.num_workers
    producers = config.producers
    if config.encode != "live":
        return least, most
    for name, own, each in (("CPU", 1.0, producers.cpus), ("GPU", float(gpus), producers.gpus)):
        needed = own + producers.count * each
        room = int(there.get(name, 0.0) / needed) if needed else most
        if room < least:
            raise UserError(
                f"field 'producers.count': a worker and its {producers.count} producers take {needed:g} {name}s, "
                f"{least} of them {least * needed:g}, and the Ray cluster has {there.get(name, 0.0):g}; take fewer or "
                f"smaller producers, fewer workers, or more machines"
            )
        most = min(most, room)
    return least, most


def _has_gpus(config: FitConfig) -> bool:
    import ray

    there = ray.cluster_resources().get("GPU", 0) > 0
    if config.device == "cuda" and not there:
        raise UserError("field 'device': found 'cuda', but the Ray cluster has no GPU; 'auto' takes what is there")
    return there and config.device != "cpu"


def _work(job: dict[str, Any]) -> None:
    """One worker. What it raises makes Ray end all of them and start new ones, which have nothing to do where one has
    left a message: the others could wait for it for hours otherwise."""
    notes = job["out"] / _NOTES
    if _told(notes):
        return
    try:
        fit(job["config"], job["out"], job["data"], wait=True, start=job["start"])
    except (RankLost, SilentlyLost) as error:
        raise RuntimeError(str(error) or "another rank is gone") from None
    except (UserError, RunFailed) as error:
        notes.mkdir(parents=True, exist_ok=True)
        replace_text(notes / _TOLD, json.dumps({"user": isinstance(error, UserError), "text": str(error)}))
        raise RuntimeError(str(error)) from None
    except SystemExit:  # all end together, and rank 0 says why
        pass


def _told(notes: Path) -> UserError | RunFailed | None:
    """What a worker has left for the user."""
    try:
        found = json.loads((notes / _TOLD).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return UserError(found["text"]) if found["user"] else RunFailed(found["text"])
