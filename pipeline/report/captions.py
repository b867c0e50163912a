"""What S3 says of captions: how many each operator refuses, and captions that it refuses and that pass, with their pictures.

    some rows of some parts ──CaptionJudge──> operator -> captions, examples

A bad caption costs itself and never its picture, so it is in no funnel. Judging all of a million rows takes a minute; the
shares are those of a few thousand, evenly spread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from configs import decode
from pipeline.decide.captions import CaptionConfig, CaptionJudge
from pipeline.store.compact import Compacted

_PARTS, _ROWS = 4, 4096
"""Parts that are opened, and rows of them that are looked at, in all; chosen."""
_EXAMPLES = 4
_MEANINGS = {
    "S3.empty": "shows nothing",
    "S3.encoding": "is not in its encoding",
    "S3.unreadable": "is a captioner's answer without a whole caption",
    "S3.invalid": "is a refusal, an address, a file's name or a placeholder",
    "S3.length": "is longer than the network sees",
    "S3.source": "belongs to another split",
    "S3.alignment": "fits its picture too little",
}


@dataclass(frozen=True)
class Said:
    """A caption of the row ``id``. ``facts``: what else is known of it, such as its split, tokens and cosines."""

    id: str
    text: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What an operator refuses, or, with an empty ``operator``, what passes all of them. ``share``: of what was looked at."""

    operator: str
    meaning: str
    count: int
    share: float
    examples: list[Said]


@dataclass(frozen=True)
class Captions:
    """``looked``: captions that were judged, of ``rows`` rows. ``verdicts``: what passes first, then by count."""

    looked: int
    rows: int
    verdicts: list[Verdict]


def captions(compacted: Compacted, config: Mapping[str, Any]) -> Captions:
    """Verdicts by the field ``captions`` of the run's ``config``."""
    judge = CaptionJudge(decode(config.get("captions") or {}, CaptionConfig, "captions"))
    counts: dict[str, int] = {}
    examples: dict[str, list[Said]] = {}
    rows = 0
    for id_, said in _looked_at(compacted):
        rows += 1
        for caption in said or ():
            operator = judge.verdict(caption) or ""
            counts[operator] = counts.get(operator, 0) + 1
            shown = examples.setdefault(operator, [])
            if len(shown) < _EXAMPLES and id_ not in {one.id for one in shown}:
                shown.append(Said(id_, caption.get("text") or "", _facts(caption)))
    looked = sum(counts.values())
    ordered = sorted(counts, key=lambda name: (name != "", -counts[name], name))
    verdicts = [
        Verdict(name, _MEANINGS.get(name, ""), counts[name], counts[name] / looked, examples[name]) for name in ordered
    ]
    return Captions(looked, rows, verdicts)


def _looked_at(compacted: Compacted) -> Iterator[tuple[str, list[dict[str, Any]] | None]]:
    """(id, captions) of rows that are evenly spread over parts that are."""
    parts = [part for part in compacted.parts if compacted.length(part)]
    for number in _spread(len(parts), _PARTS):
        part = parts[number]
        rows = _spread(compacted.length(part), _ROWS // min(_PARTS, len(parts)))
        ids = compacted.rows(part, ["id"])["id"].take(rows).to_pylist()
        yield from zip(ids, compacted.captions(part).take(rows).to_pylist(), strict=True)


def _spread(count: int, most: int) -> np.ndarray:
    """At most ``most`` of 0..count-1, evenly."""
    return np.unique(np.arange(min(count, most)) * count // max(min(count, most), 1))


def _facts(caption: Mapping[str, Any]) -> dict[str, Any]:
    names = ("source", "language", "tokens", "align_zh", "align_siglip")
    return {name: caption[name] for name in names if caption.get(name) is not None}
