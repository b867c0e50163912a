"""``python -m trainer fit``: what is checked before, the loop (``loop.py``), what is left behind.

    Order ─> Loader ─> Trainer.step: micro-batches -> losses, gradients -> guard -> optimizer -> averaged weights
                          └─> metrics.jsonl, checkpoints/, samples/ ─> export/

What step t trains on and with which noise depends on (config, dataset, t) alone, so a run that is killed and started
again goes through the same losses as one that was not, with any number of ranks. Every rank runs this; rank 0 alone
holds the lock, config.yaml, the metrics, the samples and the export.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

from configs import UserError
from configs.errors import DiskFailed
from configs.files import replace_text
from model.checkpoint import pipeline_of
from model.export import export
from trainer.config import FitConfig
from trainer.data.folder import names_in
from trainer.data.producers.open import check_encoding, unchecked_remark
from trainer.fingerprint import fingerprint
from trainer.loop import Trainer
from trainer.monitor.metrics import phase_losses, read_metrics
from trainer.order.order import Order
from trainer.parallel.lost import naming_the_lost
from trainer.parallel.world import World, join, open_world
from trainer.saved_config import save_config
from trainer.setup import Setup, pick_device, prepare
from trainer.start import Start
from trainer.state.folders import checkpoints, step_of
from trainer.state.held import held
from trainer.state.notes import Notes
from trainer.state.signals import StopRequest


def fit(
    config: FitConfig,
    out: Path,
    data: Path,
    wait: bool = False,
    start: Start | None = None,
    notes: Notes | None = None,
) -> None:
    """Train into ``out`` from the dataset at ``data``; goes on where an earlier call stopped. All ranks call it.

    ``notes``: of the command that holds ``out`` and had Ray start this worker.
    Raises UserError before anything is written, or while another process trains into ``out`` (``wait``: waits).
    """
    device = pick_device(config.device)
    join(device)  # first of all, so that what every rank finds wrong is told once
    with naming_the_lost():
        given = start or Start()
        setup = prepare(config, out, data, given)
        world = open_world(config, device, setup.base.shape.num_attention_heads)
        check_encoding(config, setup.base.existing(out), setup.datasets.digests(), world.size)
        with held(out, wait, notes) if world.first else contextlib.nullcontext():
            _train(config, out, setup, given, world, notes)


def _train(config: FitConfig, out: Path, setup: Setup, given: Start, world: World, notes: Notes | None) -> None:
    if world.first:
        _begin(config, out, setup, given)
    world.barrier()
    if _is_finished(out, setup.order):
        world.tell(f"{out}: trained already, {setup.order.steps:,} steps; export/ holds the model")
        return
    if world.first:  # an export of fewer steps is not what this training ends with
        (out / "phases.json").unlink(missing_ok=True)
    base = setup.base.folder(out, config.seed)
    trainer = Trainer(config, out, setup.datasets, setup.order, world, base, setup.start)
    if notes and world.first:
        notes.begin(world.size, trainer.done)
    with StopRequest(notes) as stop:
        trainer.run(stop)
        stop.release()
    if world.first:
        _finish(trainer)
    world.barrier()


def _begin(config: FitConfig, out: Path, setup: Setup, given: Start) -> None:
    """Say what is left out; write or check config.yaml; make the base where weights are to be fresh.

    ``given``: the start that the command line names.
    """
    order, data = setup.order, setup.datasets.first()
    for line in (*data.remarks, *order.remarks(names_in(data))):
        print(line, flush=True)
    if order.held_out and config.validation:
        print(order.held_out.remark(config.validation), flush=True)
    found = checkpoints(out)
    done = step_of(found[-1]) if found else 0
    kept = (
        setup.datasets.kept_against(order.phases[order.phase_of(done)].phase.name) if 0 < done < order.steps else None
    )
    if kept:
        print(kept, flush=True)
    there = setup.base.existing(out)
    base = fingerprint(there, config.weights) if there else ""
    identity = {"dataset": data.digest, "base": base, **given.identity()}
    try:
        save_config(given.named(config), identity, out, done)
    except DiskFailed as error:
        raise UserError(str(error)) from None  # nothing was begun
    check_encoding(config, setup.base.folder(out, config.seed), setup.datasets.digests(), ranks=1)
    remark = unchecked_remark(config)
    if remark:
        print(remark, flush=True)


def _is_finished(out: Path, order: Order) -> bool:
    found = checkpoints(out)
    exported = any((out / "export" / name).exists() for name in ("model_index.json", "lora.safetensors"))
    return exported and _told_phases(out / "phases.json") and bool(found) and step_of(found[-1]) >= order.steps


def _told_phases(path: Path) -> bool:
    """Whether a finished training left its losses; a damaged file is written again."""
    try:
        return isinstance(json.loads(path.read_text("utf-8")), list)
    except (OSError, ValueError, RecursionError):
        return False


def _finish(trainer: Trainer) -> None:
    """export/ and phases.json: what a finished training is known by."""
    out = trainer.out
    shutil.rmtree(out / "export", ignore_errors=True)
    export(checkpoints(out)[-1], out / "export")
    names = [p.phase.name for p in trainer.order.phases]
    losses = phase_losses(read_metrics(out), names)
    trainer.datasets.remove_links()
    replace_text(out / "phases.json", json.dumps(losses, indent=2, ensure_ascii=False) + "\n", durable=False)
    for line in losses:
        print(
            f"{line['phase']:>12}: loss {line['loss_start']:.4f} -> {line['loss_end']:.4f} in {line['steps']:,} steps"
        )
    if trainer.config.lora:
        print(f"{out / 'export'}: the LoRA, for diffusers, `python -m model sample --lora` and ComfyUI")
        return
    pipeline = pipeline_of(out / "export")
    print(f"{out / 'export'}: the model, averaged weights, for diffusers.{pipeline} and `python -m model sample`")
