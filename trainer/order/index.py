"""The narrow index of a dataset: the few columns of the manifest that the order needs, as small as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.predicate import parse
from pipeline.schema import TRAINABLE
from trainer.data.folder import Data
from trainer.monitor.config import ValidationConfig
from trainer.order.curriculum import Phase

if TYPE_CHECKING:
    import pyarrow as pa

_ALWAYS = ("width", "height", "task", "repeats", "recipe", "text_level", "n_captions", *TRAINABLE, "ref_sizes")
"""What the order reads of every manifest beside the columns of predicates."""


def read_index(dataset: Data, phases: Sequence[Phase], validation: ValidationConfig | None = None) -> pa.Table:
    """The columns that training needs and those of every predicate. Raises UserError for an unknown column."""
    known = dataset.manifest_schema.names
    names = dict.fromkeys(name for name in _ALWAYS if name in known)
    texts = [(validation.where, "field 'validation.where'")] if validation else []
    for phase in phases:
        texts.append((phase.where, f"phase {phase.name}, where"))
        texts += [(s.where, f"phase {phase.name}, mixture.{i}.where") for i, s in enumerate(phase.mixture)]
    for text, field in texts:
        predicate = parse(text, field)
        predicate.arrow(dataset.manifest_schema)  # names the field when a column is unknown
        names |= dict.fromkeys(c for c in predicate.columns if c in known)
    return dataset.manifest(list(names))
