"""The narrow index of a dataset: the few columns of the manifest that the order needs, as small as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from pipeline.predicate import parse
from pipeline.schema import TRAINABLE
from trainer.order.curriculum import Phase

if TYPE_CHECKING:
    import pyarrow as pa

_ALWAYS = ("width", "height", "task", "repeats", "recipe", "text_level", "n_captions", *TRAINABLE, "ref_sizes")
"""What the order reads of every manifest beside the columns of predicates."""


class Manifested(Protocol):
    """A packed dataset, or a folder of pictures."""

    @property
    def manifest_schema(self) -> pa.Schema: ...

    def manifest(self, columns: Sequence[str] | None = None, where: str | None = None) -> pa.Table: ...


def read_index(dataset: Manifested, phases: Sequence[Phase]) -> pa.Table:
    """The columns that training needs and those of every predicate. Raises UserError for an unknown column."""
    known = dataset.manifest_schema.names
    names = dict.fromkeys(_ALWAYS)
    for phase in phases:
        texts = [(phase.where, "where"), *((s.where, f"mixture.{i}.where") for i, s in enumerate(phase.mixture))]
        for text, field in texts:
            predicate = parse(text, f"phase {phase.name}, {field}")
            predicate.arrow(dataset.manifest_schema)  # names the phase when a column is unknown
            names |= dict.fromkeys(c for c in predicate.columns if c in known)
    return dataset.manifest(list(names))
