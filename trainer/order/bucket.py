"""Sizes to train at: the nine aspect ratios of the report at a resolution, in multiples of 16 px.

A picture that is already a multiple of 16 on both sides and no larger than the resolution's area keeps
its size exactly: synthetic canvases are drawn to size, and resampling would blur their glyphs. Every
other picture is resized to cover the bucket of the nearest aspect ratio and cut at its center.
"""

from __future__ import annotations

import math

from synth.sizes import ASPECTS, MULTIPLE, size_of

SLACK = 1.05
"""A picture of this much more than the resolution's area still counts as of that resolution (chosen)."""

Bucket = tuple[int, int]
"""Width and height in px."""


def bucket_of(width: int, height: int, resolution: int) -> Bucket:
    """The size at which a picture of ``width`` x ``height`` px is trained at ``resolution``."""
    if width % MULTIPLE == 0 and height % MULTIPLE == 0 and width * height <= SLACK * resolution**2:
        return width, height
    aspect = math.log(width / height)
    w, h = min(ASPECTS, key=lambda a: abs(math.log(a[0] / a[1]) - aspect))
    return size_of(w / h, resolution)


def growth(size: Bucket, bucket: Bucket) -> float:
    """By how much a picture of ``size`` is enlarged to cover ``bucket``; below 1 it shrinks."""
    return max(bucket[0] / size[0], bucket[1] / size[1])


def tokens(bucket: Bucket) -> int:
    """Image tokens of a picture of this size."""
    return (bucket[0] // MULTIPLE) * (bucket[1] // MULTIPLE)
