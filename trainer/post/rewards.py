"""What a picture is worth, within 0..1: how much of the text that was asked for is read in it."""

from __future__ import annotations

from rapidfuzz.distance import Levenshtein

from pipeline.ocr.lines import normalize


def read_share(wanted: str, read: str) -> float:
    """1 less the changes that make ``read`` the ``wanted`` text, for each of its characters; at least 0.

    A missing, a wrong and a surplus character cost the same, so that writing more than was asked for gains nothing.
    NFKC, white space does not count, case does.
    """
    asked = normalize(wanted)
    return max(0.0, 1.0 - Levenshtein.distance(asked, normalize(read)) / max(len(asked), 1))
