"""Sizes of pictures: the nine aspect ratios of the report at a resolution, in multiples of 16 px.

The trainer takes pictures of these sizes unchanged; so text drawn at one of them is never resampled.
"""

from __future__ import annotations

import math

MULTIPLE = 16
"""Pixels per token and side: VAE 8, patches 2."""
ASPECTS = ((1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (9, 16), (16, 9), (1, 3), (3, 1))
"""Width to height, report section 3.1 (S1)."""


def sizes(resolution: int) -> list[tuple[int, int]]:
    """Nine widths and heights in px with an area of about ``resolution`` squared."""
    return [_size_of(w / h, resolution) for w, h in ASPECTS]


def _size_of(aspect: float, resolution: int) -> tuple[int, int]:
    """Width and height in px of one aspect ratio (width to height)."""
    width = max(1, round(resolution * math.sqrt(aspect) / MULTIPLE)) * MULTIPLE
    height = max(1, round(resolution / math.sqrt(aspect) / MULTIPLE)) * MULTIPLE
    return width, height
