"""What was read against what was asked, text by text.

Comparison is case-sensitive and takes full-width forms for their half-width ones (NFKC); white space
does not count, because the reader guesses it from gaps. Look-alikes are not forgiven: a charset that
is to be read from single characters should not hold both of a pair such as O and 0.
"""

from __future__ import annotations

from pipeline.ocr.lines import character_accuracy, normalize
from trainer.evaluate.base import Judged
from trainer.evaluate.scores.overlap import overlap


def is_exact(wanted: str, read: str) -> bool:
    return normalize(wanted) == normalize(read)


def judge_text(wanted: str, read: str) -> Judged:
    """``exact``: whether it was read exactly; ``characters``: 1 - NED, where order counts; ``precision``: the part of the
    read characters that were asked for, with nothing in it where nothing was read."""
    seen = normalize(read)
    return {
        "exact": (float(is_exact(wanted, read)), 1.0),
        "characters": (character_accuracy(wanted, read), 1.0),
        "precision": (float(overlap(normalize(wanted), seen)), float(len(seen))),
    }
