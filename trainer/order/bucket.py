"""Sizes to train at, and what of a picture is cut for them.

    synthetic, multiples of 16, at most the resolution's area ──> its own size: resampling would blur its glyphs
    real, likewise, and not far below that area ────────────────> its own size
    every other picture ──> the nearest of the report's nine aspect ratios whose window holds ``keep``
                        ──> else its own aspect ratio, whole
                        ──> else none: ``small``, ``thin`` or ``cut``
    the target of an edit ──> its own aspect ratio, whole: it stays aligned with its references

The planner decides by ``fit_buckets`` and the loader cuts by ``windows``, which is a part of it: they cannot disagree.
"""

from __future__ import annotations

import numpy as np

from synth.sizes import ASPECTS, MULTIPLE, sizes

SLACK = 1.05
"""A picture of this much more than the resolution's area still counts as of that resolution (chosen)."""
_STRETCH = 1.05
"""A picture that is shown whole may be stretched by this much to get sides in multiples of 16 (chosen)."""
_LONGEST = 16.0
"""Sides of real pictures differ by this factor at most (chosen)."""
_HALF = 0.5
"""px of a text's box that may be lost: boxes are rounded outwards."""

Bucket = tuple[int, int]
"""Width and height in px."""
WHOLE = (0, 0, 2**31 - 1, 2**31 - 1)
"""``keep`` of a picture of which nothing may be cut."""
FITS, SMALL, THIN, CUT = range(4)
"""Outcomes: the picture fits; would grow too much; only its short side would; every window would cut its text."""


def fit_buckets(
    size: np.ndarray, resolution: int, upscale: float, keep: np.ndarray, whole: np.ndarray, drawn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The sizes at which pictures are trained at ``resolution``, and an outcome each.

    ``size``: (n, 2) width, height in px. ``keep``: (n, 4) box in px that no crop may cut, zeros for none. ``whole``: (n,)
    bool, nothing may be cut. ``drawn``: (n,) bool, synthetic. Returns (n, 2) int64 px and (n,) int8 of FITS, SMALL,
    THIN, CUT.
    """
    area = size[:, 0].astype(np.float64) * size[:, 1]
    large = area * upscale**2 >= resolution**2
    exact = _both(size % MULTIPLE == 0) & (area <= SLACK * resolution**2)
    exact &= drawn | (large & ~_strip(size))
    bucket, outcome = size.astype(np.int64), np.zeros(len(size), dtype=np.int8)
    for these, choose in ((~exact & ~whole, _cropped), (~exact & whole, _uncropped)):
        if these.any():
            bucket[these], outcome[these] = choose(size[these], resolution, upscale, keep[these])
    outcome[(outcome == SMALL) & large] = THIN
    return bucket, outcome


def windows(size: np.ndarray, bucket: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What of each picture is shown: (n, 4) left, top, right, bottom in px, and (n,) whether ``keep`` is in it.

    The window has the bucket's aspect ratio and lies in the middle, or nearest to it with ``keep`` inside. Where
    ``keep`` is larger, it is the whole picture if that is stretched by at most 1.05, else the middle.
    """
    keep = np.minimum(keep, np.tile(size, 2))
    all_ = _both(keep[:, 2:] - keep[:, :2] == size)  # not even half a pixel of an edit's target is cut
    ratio = bucket / size
    view = np.minimum(size, bucket / _longer(ratio)[:, None])
    middle = np.maximum(0.0, size - view) / 2
    kept = keep[:, 2:] > keep[:, :2]
    start = np.where(kept, np.clip(middle, keep[:, 2:] - view, np.maximum(keep[:, :2], keep[:, 2:] - view)), middle)
    start = np.clip(start, 0.0, size - view)
    end = np.where(start == middle, size - middle, start + view)
    room = view + np.where(all_, 0.0, _HALF)[:, None]
    holds = _both(keep[:, 2:] - keep[:, :2] <= room) | ~_longer(kept)
    whole = ~holds & (_longer(ratio) <= _STRETCH * _shorter(ratio))
    start[whole], end[whole] = 0.0, size[whole]
    return np.hstack([start, end]), holds | whole


def tokens(sides: np.ndarray) -> np.ndarray:
    """(...) int64 image tokens of pictures of (..., 2) width, height in px."""
    return (sides // MULTIPLE).prod(axis=-1, dtype=np.int64)


def _cropped(size: np.ndarray, resolution: int, upscale: float, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of the nine ratios that will do, or the picture's own where something is to be kept."""
    nine = np.array(sizes(resolution), dtype=np.int64)
    aspects = np.log([w / h for w, h in ASPECTS])
    order = np.argsort(np.abs(aspects - np.log(size[:, :1] / size[:, 1:])), axis=1, kind="stable")
    bucket = nine[order[:, 0]]
    outcome = _outcome(size, bucket, upscale, keep)
    if (keep[:, 2] <= keep[:, 0]).all():
        return bucket, outcome
    for rank in range(1, len(nine) + 1):
        open_ = np.flatnonzero((outcome != FITS) & (keep[:, 2] > keep[:, 0]))
        if not len(open_):
            break
        further = nine[order[open_, rank]] if rank < len(nine) else _own_ratio(size[open_], resolution)
        found = _outcome(size[open_], further, upscale, keep[open_])
        found[_strip(size[open_]) & (rank == len(nine))] = CUT
        good = found == FITS
        bucket[open_[good]] = further[good]
        # what only wants a larger picture is told as such, not as a crop that cuts
        outcome[open_] = np.where(good, FITS, np.minimum(outcome[open_], found))
    return bucket, outcome


def _uncropped(size: np.ndarray, resolution: int, upscale: float, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture's own ratio, all of it."""
    bucket = _own_ratio(size, resolution)
    outcome = _outcome(size, bucket, upscale, np.tile(WHOLE, (len(size), 1)))
    return bucket, np.where(_strip(size) | (outcome == CUT), SMALL, outcome).astype(np.int8)


def _strip(size: np.ndarray) -> np.ndarray:
    return _longer(size) > _LONGEST * _shorter(size)


def _outcome(size: np.ndarray, bucket: np.ndarray, upscale: float, keep: np.ndarray) -> np.ndarray:
    small = _longer(bucket / size) > upscale
    _, holds = windows(size, bucket, keep)
    return np.where(~holds, CUT, np.where(small, SMALL, FITS)).astype(np.int8)


def _own_ratio(size: np.ndarray, resolution: int) -> np.ndarray:
    """(n, 2) multiples of 16 px of about the resolution's area that stretch the picture least."""
    long, short = _longer(size).astype(np.float64), _shorter(size).astype(np.float64)
    ratio = long / short
    ideal = np.floor(resolution / np.sqrt(ratio) / MULTIPLE)
    few = np.maximum(ideal[:, None] + np.arange(-2, 3), 1.0)
    many = np.maximum(np.rint(few * ratio[:, None]), 1.0)
    stretch = np.abs(np.log(many / few / ratio[:, None]))
    area = np.abs(np.log(few * many * MULTIPLE**2 / resolution**2))
    cost = stretch + 0.2 * area + 10.0 * (stretch > np.log(_STRETCH))
    best = np.argmin(cost, axis=1)
    rows = np.arange(len(size))
    sides = np.stack([many[rows, best], few[rows, best]], axis=1).astype(np.int64) * MULTIPLE
    return np.where((size[:, 0] >= size[:, 1])[:, None], sides, sides[:, ::-1])


# NumPy's own reductions over an axis of two are ten times as slow.
def _longer(pair: np.ndarray) -> np.ndarray:
    """(n,) the greater of (n, 2)."""
    return np.maximum(pair[:, 0], pair[:, 1])


def _shorter(pair: np.ndarray) -> np.ndarray:
    return np.minimum(pair[:, 0], pair[:, 1])


def _both(pair: np.ndarray) -> np.ndarray:
    return pair[:, 0] & pair[:, 1]
