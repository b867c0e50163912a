"""How many valid captions each row of a part has, and in which languages: kept as long as captions and rules are the same."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from configs import to_plain
from pipeline import schema
from pipeline.decide import captions
from pipeline.decide.captions import CaptionConfig, CaptionJudge, flat
from pipeline.store.compact import Compacted, Part

_FLAT = schema.arrow(list(schema.CAPTION_FLAT))


def counted_captions(compacted: Compacted, part: Part, config: CaptionConfig) -> pa.Table:
    """schema.CAPTION_FLAT of the rows of a part."""
    recipe = f"{_code()} {json.dumps(to_plain(config), sort_keys=True)}"
    return compacted.derived(part, "judged", recipe, lambda: _count(compacted.captions(part), CaptionJudge(config)))


def _count(texts: pa.ChunkedArray, judge: CaptionJudge) -> pa.Table:
    counted = [flat(judge.judge(row)) for row in texts.to_pylist()]
    columns = [[n for n, _ in counted], [languages for _, languages in counted]]
    return pa.table([pa.array(values, f.type) for values, f in zip(columns, _FLAT, strict=True)], names=_FLAT.names)


@lru_cache(maxsize=1)
def _code() -> str:
    """What judges, so that verdicts of an older one are not taken for its own."""
    return hashlib.sha256(Path(captions.__file__).read_bytes()).hexdigest()
