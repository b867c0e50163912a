"""The narrow index of a dataset: the few columns of the manifest that the order needs, as small as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.predicate import parse
from pipeline.schema import TRAINABLE
from trainer.monitor.config import ValidationConfig
from trainer.order.curriculum import Phase

_ALWAYS = ("width", "height", "task", "repeats", "recipe", "text_level", "n_captions", *TRAINABLE, "ref_sizes")
"""What the order reads of every manifest beside the columns of predicates."""
PAIR = "pair"
"""The column that bilingual twins have in common; datasets before schema 1.7 lack it."""


class Manifested(Protocol):
    """A packed dataset, or a folder of pictures."""

    @property
    def manifest_schema(self) -> pa.Schema: ...

    def manifest_parts(self, columns: Sequence[str]) -> Iterator[pa.Table]: ...


def read_index(dataset: Manifested, phases: Sequence[Phase], validation: ValidationConfig | None = None) -> pa.Table:
    """The columns that training needs and those of every predicate. Raises UserError for an unknown column."""
    schema = dataset.manifest_schema
    names = dict.fromkeys(_ALWAYS)
    texts = [(validation.where, "field 'validation.where'")] if validation else []
    for phase in phases:
        texts.append((phase.where, f"phase {phase.name}, where"))
        texts += [(s.where, f"phase {phase.name}, mixture.{i}.where") for i, s in enumerate(phase.mixture)]
    if validation and PAIR in schema.names:
        names[PAIR] = None
    for text, field in texts:
        predicate = parse(text, field)
        predicate.arrow(schema)  # names the field when a column is unknown
        names |= dict.fromkeys(c for c in predicate.columns if c in schema.names)
    pieces: dict[str, list[pa.Array]] = {name: [] for name in names}
    for part in dataset.manifest_parts(list(names)):
        for name in names:
            pieces[name].append(_narrowed(part[name].combine_chunks()))
    return pa.table({name: _joined(pieces.pop(name)) for name in names})


def _narrowed(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Whole numbers in as few bytes as hold them, those in lists too; strings by number."""
    values = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_string(values.type):
        return values.dictionary_encode()
    if pa.types.is_list(values.type):
        return pa.ListArray.from_arrays(values.offsets, _narrowed(values.values), mask=values.is_null())
    if not pa.types.is_integer(values.type):
        return values
    found = pc.min_max(values).as_py()
    return values.cast(_integer(found["min"] or 0, found["max"] or 0))


def _integer(low: int, high: int) -> pa.DataType:
    """The narrowest signed type that holds both, or the unsigned one of eight bytes."""
    for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64()):
        limit = np.iinfo(kind.to_pandas_dtype())
        if limit.min <= low and high <= limit.max:
            return kind
    return pa.uint64()


def _joined(pieces: list[pa.Array]) -> pa.Array:
    """One array of what ``_narrowed`` made of the pieces of a column; takes the list empty."""
    kind = pieces[0].type
    if pa.types.is_dictionary(kind):
        unified = pa.chunked_array(pieces).unify_dictionaries()
        names = unified.chunk(0).dictionary
        index = _integer(0, len(names))
        return pa.DictionaryArray.from_arrays(pa.concat_arrays([c.indices.cast(index) for c in unified.chunks]), names)
    if pa.types.is_integer(kind) or (pa.types.is_list(kind) and pa.types.is_integer(kind.value_type)):
        widest = max((piece.type for piece in pieces), key=_width)
        pieces[:] = [piece.cast(widest) for piece in pieces]
    joined = pa.concat_arrays(pieces)
    pieces.clear()
    return joined


def _width(kind: pa.DataType) -> tuple[int, bool]:
    inner = kind.value_type if pa.types.is_list(kind) else kind
    return inner.bit_width, inner == pa.uint64()
