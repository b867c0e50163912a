"""Who starts the processes. ``launch: torchrun``: they are started already, or this is the only one.

``launch: ray``: Ray Train starts them, as many as the cluster has room for, and new ones when one is lost.

fit (this process: checks) ──TorchTrainer──> workers: the same fit, the same loop
                                └ a worker dies: all start again from the last checkpoint, with fewer or as many
"""

from __future__ import annotations

import dataclasses
import shutil
import uuid
from pathlib import Path
from typing import Any

from configs import RunFailed, UserError
from pipeline.cluster import connect
from trainer.config import FitConfig
from trainer.data.folder import open_data
from trainer.fit import fit
from trainer.parallel.lost import RankLost, SilentlyLost
from trainer.setup import check_start, open_order
from trainer.start import Start

_NOTES = "ray"
"""Folder in OUT where Ray Train keeps its own notes while it runs."""
_MAX_FAILURES = 16
"""How often lost workers are replaced during one command (chosen)."""


def launch(config: FitConfig, out: Path, data: Path, wait: bool, start: Start) -> None:
    """Run ``fit`` as ``config.launch`` says. Raises UserError and RunFailed as ``fit`` does."""
    if config.launch == "ray":
        dataset = open_data(data)
        check_start(config, out, start, open_order(config, dataset, start), dataset)
        _fit_on_ray(config, out, data, start)
    else:
        fit(config, out, data, wait, start)


def _fit_on_ray(config: FitConfig, out: Path, data: Path, start: Start) -> None:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    connect()
    gpus = _has_gpus(config)
    least, most = config.num_workers
    workers: Any = least if least == most else (least, most)
    print(f"training in {least} to {most} workers of Ray; {out / 'metrics.jsonl'} tells how far it is", flush=True)
    trainer = TorchTrainer(
        _work,
        train_loop_config={
            "config": dataclasses.replace(config, launch="torchrun"),
            "out": out.absolute(),
            "data": data.absolute(),
            "start": start.absolute(),
        },
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpus),
        run_config=RunConfig(
            name=uuid.uuid4().hex,  # a name that was there before would be gone on with
            storage_path=str(out.absolute() / _NOTES),
            failure_config=FailureConfig(max_failures=_MAX_FAILURES),
        ),
    )
    try:
        result = trainer.fit()
    except Exception as error:  # Ray wraps what went wrong in classes of its own
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise RunFailed(
            f"Ray Train gave up ({lines[-1].strip() if lines else type(error).__name__}); checkpoints are safe: the same "
            "command goes on from the last one"
        ) from error
    finally:
        shutil.rmtree(out / _NOTES, ignore_errors=True)
    told = (result.metrics or {}).get("told")
    if told:
        kind, text = told
        raise UserError(text) if kind == "user" else RunFailed(text)


def _has_gpus(config: FitConfig) -> bool:
    import ray

    there = ray.cluster_resources().get("GPU", 0) > 0
    if config.device == "cuda" and not there:
        raise UserError("field 'device': found 'cuda', but the Ray cluster has no GPU; 'auto' takes what is there")
    return there and config.device != "cpu"


def _work(job: dict[str, Any]) -> None:
    """One worker. What ends all ranks together is reported; what is raised makes Ray start them again."""
    import ray.train

    told = None
    try:
        fit(job["config"], job["out"], job["data"], wait=True, start=job["start"])
    except (RankLost, SilentlyLost) as error:
        raise RuntimeError(str(error) or "another rank is gone") from None
    except UserError as error:
        told = ("user", str(error))
    except RunFailed as error:
        told = ("failed", str(error))
    except SystemExit:  # rank 0 says why
        pass
    ray.train.report({"told": told})
