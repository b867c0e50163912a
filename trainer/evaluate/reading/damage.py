"""Whether a reader is blind to damaged glyphs: one that takes them for whole would not see a model's broken ones either."""

from __future__ import annotations

from collections import Counter

from pipeline.ocr.lines import normalize


def is_accepted(character: str, clean: str, damaged: str, text: str) -> bool | None:
    """Whether a reader took a damaged ``character`` for whole: it saw it as often as in the clean rendering. None where it
    did not read all of them in that."""
    wanted, before, after = (Counter(normalize(t))[normalize(character)] for t in (text, clean, damaged))
    return after >= before if before >= wanted else None
