"""``fit --dry-run``: what would be trained on, phase by phase, without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.dataset import Dataset
from trainer.config import FitConfig
from trainer.order.order import Order, PhaseOrder
from trainer.setup import Start, check_start, open_order

_SAMPLED_STEPS = 50
"""Steps over which read amplification is measured (chosen)."""


def describe(config: FitConfig, dataset: Dataset, order: Order) -> list[str]:
    """Lines for a terminal: rows, draws, epochs, tokens, sizes, read amplification of each phase."""
    lines = [
        f"{dataset.path}: {dataset.rows:,} samples; {order.steps:,} steps in {len(order.phases)} phases, seed {config.seed}"
    ]
    lines += [f"left out, being optional: {why}" for why in order.without]
    if order.held_out and config.validation:
        lines.append(order.held_out.remark(config.validation))
    for number, phase in enumerate(order.phases):
        lines += _phase(dataset, order, number, phase)
    return lines


def dry_run(config: FitConfig, out: Path, data: Path, start: Start) -> None:
    """Print what ``fit`` with the same arguments would train on. Raises UserError where it would not begin."""
    dataset = Dataset.open(data)
    order = open_order(config, dataset, start)
    check_start(config, out, start, order, dataset)
    print("\n".join(describe(config, dataset, order)))


def _phase(dataset: Dataset, order: Order, number: int, phase: PhaseOrder) -> list[str]:
    what = phase.phase
    given = phase.draws
    image_tokens = sum(int(n) * s.tokens for n, s in zip(given, phase.strata, strict=True))
    lines = [
        f"{what.name}: {what.steps:,} steps at {', '.join(map(str, what.resolutions))} px, where {what.where}",
        f"    {phase.rows:,} rows, {given.sum():,} draws = {given.sum() / phase.rows:.1f} epochs; "
        f"{image_tokens:,} image tokens, {image_tokens / what.steps:,.0f} a step; "
        f"read amplification {amplification(dataset, order, number):.1f}",
    ]
    for index in sorted({s.share for s in phase.strata}):
        mine = [(int(n), s) for n, s in zip(given, phase.strata, strict=True) if s.share == index]
        name = what.mixture[index].where if what.mixture else "all"
        draws, rows = sum(n for n, _ in mine), len(np.unique(np.concatenate([s.rows for _, s in mine])))
        sizes = ", ".join(f"{s.bucket[0]}x{s.bucket[1]}" for _, s in mine[:6]) + (" ..." if len(mine) > 6 else "")
        lines.append(f"    {draws / given.sum():6.1%}  {name}: {rows:,} rows, {draws / rows:.1f} draws each; {sizes}")
    lines += [f"    {number:,} rows not drawn: {why}" for number, why in _left_out(phase) if number]
    return lines


def _left_out(phase: PhaseOrder) -> list[tuple[int, str]]:
    left = phase.left_out
    return [
        (left.unknown, "the phase's predicate meets a value that is null"),
        (left.unshared, "in no share of the mixture"),
        (left.small, f"would grow more than {phase.phase.upscale}-fold at every resolution (field 'upscale')"),
    ]


def amplification(dataset: Dataset, order: Order, number: int) -> float:
    """Rows in the row groups that a phase's batches touch, over the rows they use; over its first steps."""
    places = dataset.places()
    groups = (
        np.asarray(places["shard"].combine_chunks().indices).astype(np.int64) * 2**32 + places["row_group"].to_numpy()
    )
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    start = int(order.starts[number])
    steps = range(start, min(start + _SAMPLED_STEPS, int(order.starts[number + 1])))
    read = used = 0
    for step in steps:
        rows = np.unique(order.batch(step).rows)
        read += int(sizes[np.unique(group_of[rows])].sum())
        used += len(rows)
    return read / used
