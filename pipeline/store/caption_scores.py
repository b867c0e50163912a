"""What annotators say of captions becomes part of them: a captioner's join the row's, alignments stand in their caption.

captions + recaptions, align_zh, align_siglip ──> captions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline import schema

_ALIGNMENTS = ("align_zh", "align_siglip")


def join_caption_scores(captions: pa.ChunkedArray, scores: Mapping[str, pa.ChunkedArray]) -> pa.ChunkedArray:
    """The column ``captions`` with what the columns of schema.CAPTION_SCORES among ``scores`` say of it, row by row."""
    found = {name: scores[name].to_pylist() for name in schema.CAPTION_SCORES if name in scores}
    if not any(value for column in found.values() for value in column):
        return captions
    rows = captions.to_pylist()
    joined = [_joined(row, {name: column[i] for name, column in found.items()}) for i, row in enumerate(rows)]
    return pa.chunked_array([pa.array(joined, schema.COLUMNS["captions"].type)])


def _joined(captions: Sequence[dict[str, Any]] | None, scores: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    own = [dict(caption) for caption in captions or ()]
    for name in _ALIGNMENTS:
        for caption, value in zip(own, scores.get(name) or (), strict=False):  # null where it does not apply
            caption[name] = value
    added = scores.get("recaptions") or ()
    return None if captions is None and not added else [*own, *added]
