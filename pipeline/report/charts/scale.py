"""Axes: from where to where they reach, and which values share a bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np

_BINS = 48
"""Bars of a histogram; chosen: a bar is about 5 px wide in the narrowest layout."""
_SKEWED = 12
"""From this ratio of the 99th percentile to the median on, a positive quantity is drawn on a log scale; chosen."""
_NEAR_ZERO = 0.05
"""A threshold below this part of the axis could not be told from its end on a linear scale; chosen."""
_TAIL = 0.002
"""Share of values at each end that a histogram with a log scale may lump into its first and last bar; chosen."""


@dataclass(frozen=True)
class Scale:
    """An axis from ``low`` to ``high``, linear or by logarithm (then both are positive)."""

    low: float
    high: float
    log: bool = False

    def edges(self, bins: int = _BINS) -> np.ndarray:
        """(bins + 1,) limits of equally wide bars."""
        return (np.geomspace if self.log else np.linspace)(self.low, self.high, bins + 1)

    def count(self, values: np.ndarray, bins: int = _BINS) -> np.ndarray:
        """(bins,) how many finite ``values`` each bar holds; those beyond an end are in the last one there."""
        values = values[np.isfinite(values)].astype(np.float64, copy=False)
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            part = (np.log(np.maximum(values, self.low)) - low) / (high - low)
        else:
            part = (values - self.low) / (self.high - self.low)
        return np.bincount(np.clip(part * bins, 0, bins - 1).astype(np.int64), minlength=bins)

    def altair(self) -> alt.Scale:
        """As Altair has it."""
        return alt.Scale(type="log" if self.log else "linear", domain=[self.low, self.high], nice=False, clamp=True)


def fit(values: np.ndarray, include: Sequence[float] = (), log: bool | None = None) -> Scale:
    """The scale that shows all finite ``values`` and ``include``; ``log`` None decides by how skewed they are."""
    seen = values[np.isfinite(values)].astype(np.float64, copy=False)
    if seen.size == 0:
        return Scale(0.0, 1.0)
    low, high = (float(f([*include, float(f(seen))])) for f in (np.min, np.max))
    if log is None and low > 0:
        middle, top = np.quantile(seen, (0.5, 0.99))
        log = bool(top > _SKEWED * middle or any(v < _NEAR_ZERO * top for v in include))
    if log and low > 0:
        low, high = (float(q) for q in np.quantile(seen, (_TAIL, 1 - _TAIL)))
        low, high = min(low, *include, low), max(high, *include, high)
        return Scale(low, high if math.log(high) > math.log(low) else low * 10, log=True)
    if high == low:
        low, high = low - 0.5, high + 0.5
    if 0 < low < 0.35 * high:  # a bar chart that nearly reaches zero is easier to read with it
        low = 0.0
    return Scale(low, high)
