"""``fit --dry-run``: what would be trained on, phase by phase, without training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from configs import UserError
from configs.numbers import percent
from trainer.config import FitConfig
from trainer.data.folder import Data, names_in
from trainer.memory_plan import fit_memory_lines
from trainer.order.bucket import windows
from trainer.order.order import Batch, Order, PhaseOrder
from trainer.order.split import split
from trainer.setup import Setup, prepare
from trainer.start import Start

_SAMPLED_STEPS = 50
"""Steps of a phase, evenly spaced, whose batches are looked at (chosen)."""


def describe(config: FitConfig, dataset: Data, order: Order) -> list[str]:
    """Lines for a terminal: of each phase rows, tasks, draws, epochs, tokens, crops, reading, and what is left out."""
    lines = [
        f"{dataset.path}: {dataset.rows:,} samples; {order.steps:,} steps in {len(order.phases)} phases, seed {config.seed}"
    ]
    lines += [f"left out, being optional: {why}" for why in order.without]
    if order.held_out and config.validation:
        lines.append(order.held_out.remark(config.validation))
    for number, phase in enumerate(order.phases):
        lines += _phase(dataset, order, number, phase)
    return lines


def dry_run(config: FitConfig, out: Path, data: Path, start: Start, gpus: int | None = None) -> None:
    """Print what ``fit`` with the same arguments would train on, and what each of ``gpus`` holds (None: as few as the
    config can run on). Raises UserError where it would not begin."""
    setup = prepare(config, out, data, start)
    dataset = setup.datasets.first()
    print("\n".join([*dataset.remarks, *describe(config, dataset, setup.order)]), flush=True)
    print("\n".join(_memory(config, setup, config.parallel.tp if gpus is None else gpus)))


def _memory(config: FitConfig, setup: Setup, gpus: int) -> list[str]:
    """What each of ``gpus`` holds while the largest micro-batch of a batch that was looked at runs."""
    if gpus < 1 or gpus % config.parallel.tp:
        raise UserError(f"--gpus: a multiple of parallel.tp = {config.parallel.tp} is needed, found {gpus}")
    tokens = _largest(config, setup.order, gpus // config.parallel.tp)
    away = config.encoders == "leave" or config.encode == "live"  # then they are not there while a step runs
    encoders = 0 if away else setup.base.encoder_bytes
    try:
        return fit_memory_lines(config, setup.base.shape, encoders, gpus, *tokens)
    except ValueError as error:
        raise UserError(str(error)) from None


def _largest(config: FitConfig, order: Order, ranks: int) -> tuple[int, int]:
    """(image, text) tokens of the largest micro-batch among the batches that are looked at."""
    found = (0, 0)
    for number in range(len(order.phases)):
        for batch in _sampled(order, number):
            for rank in split(batch.loads, batch.loads, ranks, config.max_micro_batch_tokens):
                for slots in rank:
                    tokens = (int(batch.tokens[slots].sum()), int(batch.text_tokens[slots].sum()))
                    found = max(found, tokens, key=sum)
    return found


def _phase(dataset: Data, order: Order, number: int, phase: PhaseOrder) -> list[str]:
    what, given, rows = phase.phase, phase.draws, phase.rows
    batches = _sampled(order, number)
    return [
        f"{what.name}: {what.steps:,} steps at {', '.join(map(str, what.resolutions))} px, where {what.where}",
        f"    {rows:,} rows, {given.sum():,} draws = {given.sum() / rows:.1f} epochs, {given.sum() / what.steps:,.1f} a step",
        *_tasks(phase, given),
        *_shares(phase, given),
        _tokens(batches),
        _crops(dataset, batches),
        f"    read amplification {amplification(dataset, batches):.2f}: bytes of pictures and texts read, over those used",
        *(f"    no rows, being optional: {why}" for why in phase.without),
        *(f"    {line}" for line in order.losses(phase, names_in(dataset))),
    ]


def _sampled(order: Order, number: int) -> list[Batch]:
    first, last = int(order.starts[number]), int(order.starts[number + 1]) - 1
    return [order.batch(step) for step in np.unique(np.linspace(first, last, _SAMPLED_STEPS).astype(int)).tolist()]


def _tasks(phase: PhaseOrder, given: np.ndarray) -> Iterator[str]:
    total = given.sum()
    parts = []
    for task in ("t2i", "ti2i", "i2i"):
        mine = [i for i, s in enumerate(phase.strata) if s.task == task]
        if mine:
            parts.append(f"{task} {percent(given[mine].sum() / total)} ({phase.distinct(mine):,} rows)")
    yield f"    tasks: {', '.join(parts)}"


def _shares(phase: PhaseOrder, given: np.ndarray) -> Iterator[str]:
    """A line for each share of the mixture."""
    for index in sorted({s.share for s in phase.strata}):
        mine = [i for i, s in enumerate(phase.strata) if s.share == index]
        share = phase.phase.mixture[index] if phase.phase.mixture else None
        name = f"{share.where}{f', as {share.task}' if share.task else ''}" if share else "all"
        draws, rows = int(given[mine].sum()), phase.distinct(mine)
        distinct = list(dict.fromkeys(phase.strata[i].bucket for i in mine))
        sizes = ", ".join(f"{w}x{h}" for w, h in distinct[:6]) + (" ..." if len(distinct) > 6 else "")
        yield f"    {draws / given.sum():6.1%}  {name}: {rows:,} rows, {draws / rows:.1f} draws each; {sizes}"


def _tokens(batches: Sequence[Batch]) -> str:
    target, image, text = (
        np.array([part(b) for b in batches])
        for part in (lambda b: b.target_tokens.sum(), lambda b: b.tokens.sum(), lambda b: b.text_tokens.sum())
    )
    return (
        f"    a step: {image.mean():,.0f} image tokens ({target.mean():,.0f} of targets, {(image - target).mean():,.0f} of "
        f"references), at most {text.mean():,.0f} of text; the largest step {(image + text).max():,}"
    )


def _crops(dataset: Data, batches: Sequence[Batch]) -> str:
    """How many of the drawn pictures are cut, and how much of them."""
    sides = dataset.manifest(["width", "height"])
    rows = np.concatenate([b.rows for b in batches])
    size = np.stack([sides[name].combine_chunks().take(rows).to_numpy() for name in ("width", "height")], axis=1)
    bucket, keep = np.concatenate([b.buckets for b in batches]), np.concatenate([b.keeps for b in batches])
    box, _ = windows(size, bucket, keep)
    middle, _ = windows(size, bucket, np.zeros_like(keep))
    lost = 1 - (box[:, 2:] - box[:, :2]).prod(axis=1) / size.prod(axis=1)
    cut = lost > 1e-3
    moved = (np.abs(box - middle) > 1e-3).any(axis=1) & (keep[:, 2] > 0)
    losing = f", losing {percent(float(lost[cut].mean()))} of the area on average" if cut.any() else ""
    return (
        f"    crops: {percent(float(cut.mean()))} of the drawn pictures{losing}; of {percent(float(moved.mean()))} the "
        "window is not the middle, because something in them must not be cut"
    )


def amplification(dataset: Data, batches: Sequence[Batch]) -> float:
    """Bytes of pictures and texts that reading these batches takes, over the bytes that they use.

    A sample with offsets costs its own bytes; one without, all of its row group's, once a batch.
    """
    own, groups, told = dataset.reading_costs()
    _, group_of = np.unique(groups, return_inverse=True)
    whole = np.bincount(group_of, weights=own)
    read = used = 0.0
    for batch in batches:
        rows = np.unique(batch.rows)
        by_offset = told[rows]
        read += own[rows[by_offset]].sum() + whole[np.unique(group_of[rows[~by_offset]])].sum()
        used += own[rows].sum()
    return read / used
