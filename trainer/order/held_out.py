"""Rows that are not trained on: the validation loss is measured on a few of them, always the same.

manifest ──validation.where──> held_out, a column ──┬─> phases train where it is false
                                                    └─> HeldOut: batches like the last phase's, of held-out rows
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from configs import UserError
from pipeline.predicate import parse
from trainer.monitor.config import ValidationConfig
from trainer.order.curriculum import Phase, Share
from trainer.order.index import PAIR
from trainer.order.order import Batch, Order, PhaseOrder

_COLUMN = "held_out"
_NAME = "validation"


@dataclass(frozen=True)
class HeldOut:
    """The batches that the validation loss is measured on. ``rows``: held out in all."""

    phases: tuple[PhaseOrder, ...]
    batches: tuple[Batch, ...]
    rows: int

    @property
    def steps(self) -> int:
        return len(self.batches)

    @property
    def samples(self) -> int:
        return sum(len(batch.rows) for batch in self.batches)

    def batch(self, step: int) -> Batch:
        return self.batches[step]

    def remark(self, config: ValidationConfig) -> str:
        """What is held out, a line for the start of a training."""
        return (
            f"{_NAME}: {self.rows:,} rows are not trained on, where {config.where}; the loss of {self.samples:,} samples of "
            f"them is measured every {config.every:,} steps"
        )


def marked(index: pa.Table, config: ValidationConfig) -> pa.Table:
    """``index`` with the column ``held_out``; a row of which nothing is known is not held out.

    Raises UserError for a predicate that keeps no row or every row.
    """
    found = _with_twins(index, parse(config.where, f"field '{_NAME}.where'").evaluate(index).fill_null(False))
    if found.true_count in (0, len(found)):
        raise UserError(
            f"field '{_NAME}.where': '{config.where}' holds out {found.true_count:,} of {len(found):,} rows; hold out some "
            "of them, or take 'validation' out of the config"
        )
    return index.append_column(_COLUMN, found)


def _with_twins(index: pa.Table, found: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """The rows that are held out, and their bilingual twins: a picture of the same layout gives its other half away."""
    if PAIR not in index.column_names or index[PAIR].null_count == len(index):
        return found
    pairs = index[PAIR].cast(pa.string()).combine_chunks()
    return pc.or_(found, pc.is_in(pairs, value_set=pc.drop_null(pairs.filter(found))))


def trained_phases(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """``phases`` without what is held out."""
    return tuple(replace(phase, where=f"({phase.where}) and not {_COLUMN}") for phase in phases)


def _validation_phase(config: ValidationConfig, last: Phase) -> Phase:
    """Sizes, references and mixture (as it ends) of the ``last`` phase, over held-out rows alone."""
    mixture = tuple(_as_it_ends(share) for share in last.mixture)
    steps = config.samples  # of one sample at least
    return replace(last, name=_NAME, steps=steps, where=_COLUMN, mixture=mixture, optional=False)


def hold_out(config: ValidationConfig, order_of: Callable[[Phase], Order], last: Phase, rows: int) -> HeldOut:
    """``order_of``: makes an order of one phase over the marked index; ``rows``: held out.

    Raises UserError where no held-out row can be trained.
    """
    order = order_of(_validation_phase(config, last))
    wanted, batches = min(config.samples, order.phases[0].rows), list[Batch]()
    while wanted > 0:
        batch = order.batch(len(batches))
        batches.append(_first(batch, wanted))
        wanted -= len(batches[-1].rows)
    return HeldOut(order.phases, tuple(batches), rows)


def held_out_rows(index: pa.Table) -> int:
    return int(index[_COLUMN].combine_chunks().true_count)


def _as_it_ends(share: Share) -> Share:
    return replace(share, weight=share.weight if share.end is None else share.end, end=None, optional=True)


def _first(batch: Batch, count: int) -> Batch:
    """Its first samples."""
    names = ("rows", "buckets", "tasks", "references", "keeps", "fixed", "levels", "text_tokens")
    return replace(batch, **{name: getattr(batch, name)[:count] for name in names})
