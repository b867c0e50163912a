"""Geometry of the charts: numbers in, positions in percent of the plot out. Nothing here knows HTML.

    values ──Scale──> ticks and positions ──> Histogram | LineChart ──templates/charts.html──> SVG

Plots are stretched to the width of the page while their labels are ordinary text, so that a chart
reads the same on a telephone and on a wide screen. Hence percent, from the left and from the top.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from configs.numbers import short

_BINS = 48
"""Bars of a histogram; chosen: a bar is about 5 px wide in the narrowest layout."""

_SKEWED = 12
"""From this ratio of the 99th percentile to the median on, a positive quantity is drawn on a log scale; chosen."""

_NEAR_ZERO = 0.05
"""A threshold below this part of the axis could not be told from its end on a linear scale; chosen."""

TAIL = 0.002
"""Share of values at each end that a histogram with a log scale may lump into its first and last bar; chosen."""


@dataclass(frozen=True)
class Tick:
    """A labelled position, percent of the axis from its low end."""

    at: float
    label: str


@dataclass(frozen=True)
class Scale:
    """Maps ``low`` .. ``high`` to 0 .. 100, linearly or by logarithm (then both are positive)."""

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """Position of ``value`` in percent, held within the axis."""
        if self.log:
            value = max(value, self.low)
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, part)), 3)

    def edges(self, bins: int) -> np.ndarray:
        """(bins + 1,) limits of equally wide bars."""
        if self.log:
            return np.geomspace(self.low, self.high, bins + 1)
        return np.linspace(self.low, self.high, bins + 1)

    def ticks(self, count: int = 5) -> list[Tick]:
        """About ``count`` round values within the axis: powers of ten over several decades, else steps of 1, 2 or 5."""
        decades = self.log and self.high >= 10 * self.low
        values = _decades(self.low, self.high, count) if decades else _steps(self.low, self.high, count)
        return [Tick(self.at(v), short(v)) for v in values]


def fit(values: np.ndarray, include: Sequence[float] = (), log: bool | None = None, tail: float = 0.0) -> Scale:
    """The scale that shows all finite ``values`` and ``include``; ``log`` None decides by how skewed they are.

    ``tail``: share of values at each end that a log scale may leave out.
    """
    seen = np.concatenate([values[np.isfinite(values)], np.asarray(include, dtype=np.float64)])
    if seen.size == 0:
        return Scale(0.0, 1.0)
    low, high = float(seen.min()), float(seen.max())
    if log is None:
        top = float(np.quantile(seen, 0.99))
        log = low > 0 and (top > _SKEWED * float(np.median(seen)) or any(v < _NEAR_ZERO * top for v in include))
    if log and low > 0:
        low, high = (float(q) for q in np.quantile(seen, (tail, 1 - tail)))
        low, high = min(low, *include, low), max(high, *include, high)
        return Scale(low, high if high > low else low * 10, log=True)
    if high == low:
        low, high = low - 0.5, high + 0.5
    if 0 < low < 0.35 * high:  # a bar chart that nearly reaches zero is easier to read with it
        low = 0.0
    return Scale(low, high)


@dataclass(frozen=True)
class Bar:
    """One bar: left edge, width and height in percent; ``title`` says what it counts."""

    left: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Histogram:
    """Counts over one scale; ``upper`` grows upward, ``lower`` downward, each relative to its own peak."""

    upper: list[Bar]
    lower: list[Bar]
    ticks: list[Tick]
    scale: Scale


def histogram(
    upper: np.ndarray,
    lower: np.ndarray,
    include: Sequence[float] = (),
    scale: Scale | None = None,
    bins: int = _BINS,
) -> Histogram:
    """Two groups of values over the same bars. ``include`` are values that must lie on the axis (thresholds);
    ``scale`` None fits one."""
    scale = scale or fit(np.concatenate([upper, lower]), include, tail=TAIL)
    edges = scale.edges(bins)
    return Histogram(_bars(upper, edges, scale), _bars(lower, edges, scale), scale.ticks(), scale)


def _bars(values: np.ndarray, edges: np.ndarray, scale: Scale) -> list[Bar]:
    finite = values[np.isfinite(values)]
    counts, _ = np.histogram(np.clip(finite, edges[0], edges[-1]), edges)
    peak = counts.max(initial=0)
    bars = []
    for index in np.flatnonzero(counts):
        left, right = scale.at(edges[index]), scale.at(edges[index + 1])
        title = f"{short(edges[index])} to {short(edges[index + 1])}: {counts[index]}"
        bars.append(Bar(left, round(right - left, 3), round(100 * counts[index] / peak, 2), title))
    return bars


@dataclass(frozen=True)
class Line:
    """A polyline: ``points`` is the SVG attribute, in percent from the left and from the top."""

    points: str
    kind: str
    label: str = ""


@dataclass(frozen=True)
class Band:
    """A named stretch of the x axis, percent."""

    left: float
    width: float
    label: str


@dataclass(frozen=True)
class LineChart:
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    bands: list[Band]


@dataclass(frozen=True)
class Series:
    """What to draw: ``x`` ascending and ``y`` of equal length; ``kind`` names the style (raw, smooth, before, after)."""

    x: np.ndarray
    y: np.ndarray
    kind: str
    label: str = ""


def line_chart(
    series: Sequence[Series],
    bands: Sequence[tuple[float, float, str]] = (),
    log_y: bool = False,
    log_x: bool = False,
    y_range: tuple[float, float] | None = None,
    y_ticks: int = 5,
    points: int = 600,
) -> LineChart:
    """Lines over common axes; ``bands`` are (from, to, label) in x. At most about ``points`` vertices a line."""
    all_x = np.concatenate([s.x for s in series])
    all_y = np.concatenate([s.y for s in series]) if y_range is None else np.asarray(y_range, dtype=np.float64)
    x_scale = fit(all_x, log=log_x)
    y_scale = fit(all_y, log=log_y)
    if not log_x and all_x.size and all_x.max() > all_x.min():  # no room beside the first and last point
        x_scale = Scale(float(all_x.min()), float(all_x.max()))
    return LineChart(
        [Line(_points(s, x_scale, y_scale, points), s.kind, s.label) for s in series],
        x_scale.ticks(6),
        y_scale.ticks(y_ticks),
        [Band(x_scale.at(a), round(x_scale.at(b) - x_scale.at(a), 3), label) for a, b, label in bands],
    )


def _points(series: Series, x_scale: Scale, y_scale: Scale, limit: int) -> str:
    keep = np.unique(np.linspace(0, len(series.x) - 1, min(limit, len(series.x))).round().astype(int))
    pairs = ((series.x[i], series.y[i]) for i in keep if math.isfinite(series.y[i]))
    return " ".join(f"{x_scale.at(x):g},{round(100 - y_scale.at(y), 2):g}" for x, y in pairs)


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Centred running mean over ``window`` values that shrinks at both ends; NaN and infinities are left out."""
    finite = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    index = np.arange(len(values))
    half = np.minimum(window // 2, np.minimum(index, len(values) - 1 - index))
    total = sums[index + half + 1] - sums[index - half]
    number = counts[index + half + 1] - counts[index - half]
    return np.divide(total, number, out=np.full(len(values), np.nan), where=number > 0)


def _steps(low: float, high: float, count: int) -> list[float]:
    raw = (high - low) / max(1, count - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float, count: int) -> list[float]:
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    values = [10.0**p for p in powers]
    if len(values) > count:
        return values[:: math.ceil(len(values) / count)]
    if len(values) < 3:  # less than three decades: 1, 2, 5 of each
        values = [m * 10.0**p for p in range(powers.start - 1, powers.stop + 1) for m in (1, 2, 5)]
        values = [v for v in values if low <= v <= high]
    return values
