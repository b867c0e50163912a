"""Lines over common axes, such as the loss by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from pipeline.report.charts.chart import NUMBER, Chart, by_kind, finished, of

_VERTICES = 400
"""Of a line at most, about; chosen: as many as a wide page has pixels for."""
_INKS = {"raw": "var(--pale)", "smooth": "var(--accent)", "before": "var(--faint)", "after": "var(--accent)"}


@dataclass(frozen=True)
class Series:
    """A line: ``x`` ascending and ``y`` of equal length; ``kind`` names its style (raw, smooth, before, after)."""

    x: np.ndarray
    y: np.ndarray
    kind: str
    label: str = ""


def line_chart(
    series: Sequence[Series],
    names: tuple[str, str],
    bands: Sequence[tuple[float, float, str]] = (),
    log: tuple[bool, bool] = (False, False),
    y_range: tuple[float, float] | None = None,
    height: int = 220,
) -> Chart:
    """Lines over common axes that are called ``names`` (x, y) and may be logarithmic; ``bands`` are (from, to, label) in x."""
    rows = [row for index, one in enumerate(series) for row in _vertices(one, index, log)]
    low, high = min(float(one.x[0]) for one in series), max(float(one.x[-1]) for one in series)
    x_scale = alt.Scale(type="log" if log[0] else "linear", domain=[low, high], nice=False)
    ends: dict[str, Any] = {"domain": list(y_range), "nice": False} if y_range else {} if log[1] else {"zero": False}
    y_scale = alt.Scale(type="log" if log[1] else "linear", clamp=True, **ends)
    x = alt.X("x:Q", scale=x_scale, title=names[0], axis=alt.Axis(grid=False, labelExpr=NUMBER, tickCount=6))
    y = alt.Y("y:Q", scale=y_scale, title=names[1], axis=alt.Axis(labelExpr=NUMBER, tickCount=5, minExtent=34))
    lines = of(rows).encode(x, y, alt.Color("kind:N", scale=by_kind(_INKS), legend=None), detail="line:N")
    words = [alt.Tooltip("label:N", title="line")] if any(one.label for one in series) else []
    told: list[Any] = [
        *words,
        alt.Tooltip("x:Q", title=names[0], format=","),
        alt.Tooltip("y:Q", title=names[1], format=".4~g"),
    ]
    layers = [
        lines.mark_line(strokeWidth=2, clip=True),
        lines.mark_point(filled=True, size=90, opacity=0).encode(tooltip=told),
    ]
    drawn = alt.layer(*layers)  # by themselves, so that their values stand on the page once
    return finished(alt.layer(*_bands(bands, x), drawn) if bands else drawn, height)


def _vertices(one: Series, index: int, log: tuple[bool, bool]) -> list[dict[str, Any]]:
    last = len(one.x) - 1
    if log[0] and one.x[0] > 0:  # as even on the page as on the axis
        places = np.searchsorted(one.x, np.geomspace(one.x[0], one.x[-1], _VERTICES))
    else:
        places = np.linspace(0, last, min(_VERTICES, len(one.x))).round().astype(int)
    shown = np.unique(np.clip(np.append(places, last), 0, last))
    words = {"label": one.label} if one.label else {}
    return [
        {"x": float(f"{one.x[i]:.6g}"), "y": float(f"{one.y[i]:.5g}"), "kind": one.kind, "line": index, **words}
        for i in shown
        if math.isfinite(one.y[i])
    ]


def _bands(bands: Sequence[tuple[float, float, str]], x: alt.X) -> list[Any]:
    rows = [{"x": a, "to": b, "phase": label} for a, b, label in bands]
    ground = of(rows[1::2]).mark_rect(color="var(--sunk)", opacity=0.55).encode(x, alt.X2("to:Q"), tooltip=["phase:N"])
    look: dict[str, Any] = {"align": "left", "baseline": "top", "dx": 4, "dy": 2, "color": "var(--soft)", "limit": 120}
    return [ground, of(rows).mark_text(**look).encode(x, y=alt.value(0), text="phase:N")]


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Centered running mean over ``window`` values that shrinks at both ends; NaN and infinities are left out."""
    finite = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    index = np.arange(len(values))
    half = np.minimum(window // 2, np.minimum(index, len(values) - 1 - index))
    total = sums[index + half + 1] - sums[index - half]
    among = counts[index + half + 1] - counts[index - half]
    return np.divide(total, among, out=np.full(len(values), np.nan), where=among > 0)
