"""Who starts the processes. ``launch: torchrun``: they are started already, or this is the only one.

``launch: ray``: Ray Train starts them, as many as the cluster has room for, and new ones when one is lost.

fit (this process: checks) ──TorchTrainer──> workers: the same fit, the same loop
                                └ a worker dies: all start again from the last checkpoint, with fewer or as many
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs import RunFailed, UserError
from pipeline.cluster import connect, disconnect, is_up
from trainer.config import FitConfig
from trainer.data.producers.open import check_encoding
from trainer.fit import fit
from trainer.parallel.lost import RankLost, SilentlyLost
from trainer.parallel.torchrun import refuse_torchrun
from trainer.parallel.world import StoppedTogether, mode_of
from trainer.setup import Setup, prepare
from trainer.start import Start
from trainer.state.held import held
from trainer.state.notes import Notes
from trainer.state.signals import StopRequest

_MAX_FAILURES = 16
"""How often lost workers are replaced during one command (chosen)."""
_SAFE = "checkpoints are safe: the same command goes on from the last one"
_POLL = 0.1
"""Seconds between two looks whether a signal came (chosen)."""


def launch(config: FitConfig, out: Path, data: Path, wait: bool, start: Start) -> None:
    """Run ``fit`` as ``config.launch`` says. Raises UserError and RunFailed as ``fit`` does."""
    if config.launch == "torchrun":
        fit(config, out, data, wait, start)
        return
    refuse_torchrun(
        "field 'launch': ray starts its own processes, and torchrun has started this one: give the command without "
        "torchrun, or launch=torchrun"
    )
    _check_workers(config, out, prepare(config, out, data, start))
    try:
        _fit_on_ray(config, out, data, wait, start)
    except BaseException:  # also of a signal, on which nobody would wait for Ray
        disconnect()
        raise


def _check_workers(config: FitConfig, out: Path, setup: Setup) -> None:
    """Raise UserError for what every worker would refuse, before Ray starts any."""
    for workers in config.num_workers:
        mode_of(config, workers, setup.base.shape.num_attention_heads)
    check_encoding(config, setup.base.existing(out), setup.datasets.digests(), max(config.num_workers))


def _fit_on_ray(config: FitConfig, out: Path, data: Path, wait: bool, start: Start) -> None:
    import ray

    connect()
    gpus = _has_gpus(config)
    least, most = workers_with_room(config, gpus, ray.cluster_resources())
    notes = Notes(out.absolute())
    with held(out, wait):
        notes.remove()  # of a command that was killed
        print(f"training in {least} to {most} workers of Ray; {out / 'metrics.jsonl'} tells how far it is", flush=True)
        try:
            _run(_trainer(config, out, data, start, gpus, (least, most)), notes)
            told = notes.told()
        finally:
            notes.remove()
    if told:
        raise told


def _trainer(config: FitConfig, out: Path, data: Path, start: Start, gpus: bool, workers: tuple[int, int]) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    count: Any = workers[0] if workers[0] == workers[1] else workers
    return TorchTrainer(
        _work,
        train_loop_config={
            "config": config,
            "out": out.absolute(),
            "data": data.absolute(),
            "start": start.absolute(),
            "where": Path.cwd(),
        },
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(num_workers=count, use_gpu=gpus),
        run_config=RunConfig(
            name=uuid.uuid4().hex,  # a name that was there before would be gone on with
            storage_path=str(Notes(out.absolute()).folder),
            failure_config=FailureConfig(max_failures=_MAX_FAILURES),
        ),
    )


def _run(trainer: Any, notes: Notes) -> None:
    """Run Ray Train to its end. Signals are this thread's alone: on the main thread Ray would take them for itself, and
    end its workers without saving. Raises RunFailed where Ray gives up or a signal came before there was work to save."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            trainer.fit()
        except Exception as error:  # Ray wraps what went wrong in classes of its own
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    with StopRequest() as stop:
        stop.hold()
        thread.start()
        begun = None
        while thread.is_alive():
            thread.join(_POLL)
            begun = _tell_begun(notes, begun)
            if stop.received and notes.asked() is None:
                _ask(notes, stop.name)
            if stop.received and not is_up():
                raise RunFailed(f"asked to end ({stop.name}), and so were Ray's own processes; {_SAFE}")
    if failed:
        lines = [line for line in str(failed[0]).splitlines() if line.strip()]
        raise RunFailed(
            f"Ray Train gave up ({lines[-1].strip() if lines else type(failed[0]).__name__}); {_SAFE}"
        ) from failed[0]


def _tell_begun(notes: Notes, before: dict[str, Any] | None) -> dict[str, Any] | None:
    """Say who trains since the workers that ``before`` tells of; gives who trains now."""
    begun = notes.begun()
    if begun is None or begun == before:
        return before
    lost = "workers were lost: " if before else ""
    print(f"{lost}{begun['workers']} of Ray's workers train from step {begun['step']:,} on", flush=True)
    return begun


def _ask(notes: Notes, signal: str) -> None:
    """Ask the workers to save and end. Raises RunFailed where they have nothing to save."""
    if not notes.holds():
        raise RunFailed(f"asked to end ({signal}); all of it is saved: the same command goes on from there")
    notes.ask(signal)
    print(f"asked to end ({signal}): the workers save after the step they are at", flush=True)


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
    notes = Notes(job["out"])
    if notes.told():
        return
    if job["where"].is_dir():  # a config's relative paths are meant from there, and Ray Train has gone elsewhere
        os.chdir(job["where"])
    try:
        fit(job["config"], job["out"], job["data"], start=job["start"], notes=notes)
    except (RankLost, SilentlyLost) as error:
        raise RuntimeError(str(error) or "another rank is gone") from None
    except StoppedTogether as error:
        notes.tell(error)
    except (UserError, RunFailed) as error:
        notes.tell(error)
        raise RuntimeError(str(error)) from None
    except SystemExit:  # all end together, and rank 0 says why
        pass
