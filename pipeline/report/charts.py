"""Charts of the pages, by Altair: numbers in, a Vega-Lite specification out, which page.js draws where it comes into sight.

    values ──bins──> histogram ─┐
    Series ─────────────────────┼──Altair──> Chart(JSON of Vega-Lite) ──> <script type="application/json">
    cells ──────────────────────┘            runtime() ──once a page──> Vega itself

Colors are the variables of style.css, so that a chart is light or dark as its page is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import numpy as np
import vl_convert
from markupsafe import Markup

from configs.numbers import short

_BINS = 48
"""Bars of a histogram; chosen: a bar is about 5 px wide in the narrowest layout."""
_SKEWED = 12
"""From this ratio of the 99th percentile to the median on, a positive quantity is drawn on a log scale; chosen."""
_NEAR_ZERO = 0.05
"""A threshold below this part of the axis could not be told from its end on a linear scale; chosen."""
_TAIL = 0.002
"""Share of values at each end that a histogram with a log scale may lump into its first and last bar; chosen."""
_VERTICES = 400
"""Of a line at most, about; chosen: as many as a wide page has pixels for."""
_SIDES = {"real": 1, "rendered": -1}
"""Which way bars of a kind grow."""
_COLORS = {"real": "var(--real)", "rendered": "var(--synthetic)"}
_INKS = {"raw": "var(--pale)", "smooth": "var(--accent)", "before": "var(--faint)", "after": "var(--accent)"}
_SHADES = [f"var(--shade-{i})" for i in range(5)]
_NUMBER = "abs(datum.value) >= 10000 ? format(datum.value, '~s') : format(datum.value, '~g')"
"""A tick as Vega's expression: with a unit from ten thousand on, and 0.2 never as 200m."""
_THEME: dict[str, Any] = {
    "aria": False,  # the figure around it has a name; a label for each of 8,105 squares would be no help
    "background": "transparent",
    "font": "inherit",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--faint)",
        "titleColor": "var(--soft)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelOverlap": "greedy",
    },
}


@dataclass(frozen=True)
class Chart:
    """``spec``: of Vega-Lite, JSON that may stand inside of a page. ``height``: of the drawing, px."""

    spec: Markup
    height: int


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
        return alt.Scale(type="log" if self.log else "linear", domain=[self.low, self.high], nice=False, clamp=True)


@dataclass(frozen=True)
class Cut:
    """A threshold at ``value``: what is ``above`` or ``below`` of it is kept (``equal``: all else stops).

    ``lanes``: whether it judges any (real, rendered) picture.
    """

    value: float
    side: str
    label: str
    lanes: tuple[bool, bool] = (True, True)


@dataclass(frozen=True)
class Series:
    """A line: ``x`` ascending and ``y`` of equal length; ``kind`` names its style (raw, smooth, before, after)."""

    x: np.ndarray
    y: np.ndarray
    kind: str
    label: str = ""


@cache
def runtime() -> Markup:
    """Vega, Vega-Lite and Vega-Embed, a script of a megabyte: once in each page that has a chart."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return Markup(script.replace("</script", "<\\/script"))


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


def histogram(lanes: Mapping[str, np.ndarray], scale: Scale, cuts: Sequence[Cut] = (), height: int = 120) -> Chart:
    """Bars of real pictures upward and of rendered ones downward, each relative to its own peak, and the thresholds.

    ``lanes``: ``real`` and ``rendered`` -> values; one without any is left out.
    """
    shown = {kind: values for kind, values in lanes.items() if len(values)}
    x = alt.X("from:Q", scale=scale.altair(), title=None, axis=alt.Axis(grid=False, tickCount=5, labelExpr=_NUMBER))
    ends = [min(0, *(_SIDES[kind] for kind in shown)), max(0, *(_SIDES[kind] for kind in shown))] if shown else [0, 1]
    y = alt.Y("size:Q", scale=alt.Scale(domain=[1.05 * end for end in ends]), axis=None)
    bars = [bar for kind, values in shown.items() for bar in _bars(kind, scale.count(values), scale.edges())]
    layers = [
        _of(bars)
        .mark_bar(clip=True)
        .encode(x, alt.X2("to:Q"), y, alt.Y2("zero:Q"), alt.Color("kind:N", scale=_scale(_COLORS), legend=None))
        .encode(tooltip=["kind:N", "values:N", alt.Tooltip("pictures:Q", format=",")])
    ]
    if cuts:
        layers += _thresholds(cuts, scale, x, y, ends)
    return _chart(alt.layer(*layers), height)


def _bars(kind: str, counts: np.ndarray, edges: np.ndarray) -> list[dict[str, Any]]:
    peak = counts.max(initial=1)
    return [
        {
            "from": float(edges[i]),
            "to": float(edges[i + 1]),
            "values": f"{short(edges[i])} to {short(edges[i + 1])}",
            "kind": kind,
            "pictures": int(counts[i]),
            "zero": 0,
            "size": round(_SIDES[kind] * float(counts[i]) / peak, 4),
        }
        for i in np.flatnonzero(counts)
    ]


def _thresholds(cuts: Sequence[Cut], scale: Scale, x: alt.X, y: alt.Y, ends: Sequence[float]) -> list[Any]:
    rows = []
    for cut in cuts:
        reach = {"above": (scale.low, cut.value), "below": (cut.value, scale.high)}.get(cut.side, (cut.value,) * 2)
        low, high = ends[0] if cut.lanes[1] else 0, ends[1] if cut.lanes[0] else 0
        low, high = (low, high) if high > low else (ends[0], ends[1])
        rows.append(
            {
                "at": cut.value,
                "from": reach[0],
                "to": reach[1],
                "size": 1.05 * low,
                "top": 1.05 * high,
                "rule": cut.label,
            }
        )
    both: dict[str, Any] = {"y": y, "y2": alt.Y2("top:Q"), "tooltip": ["rule:N"]}
    stopped = _of(rows).mark_rect(color="var(--bad)", opacity=0.09, clip=True).encode(x, alt.X2("to:Q"), **both)
    line: dict[str, Any] = {"color": "var(--bad)", "strokeDash": [4, 3], "strokeWidth": 1.5, "clip": True}
    return [stopped, _of(rows).mark_rule(**line).encode(alt.X("at:Q", scale=scale.altair()), **both)]


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
    x = alt.X("x:Q", scale=x_scale, title=names[0], axis=alt.Axis(grid=False, labelExpr=_NUMBER, tickCount=6))
    y = alt.Y("y:Q", scale=y_scale, title=names[1], axis=alt.Axis(labelExpr=_NUMBER, tickCount=5, minExtent=34))
    lines = _of(rows).encode(x, y, alt.Color("kind:N", scale=_scale(_INKS), legend=None), detail="line:N")
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
    return _chart(alt.layer(*_bands(bands, x), drawn) if bands else drawn, height)


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
    ground = _of(rows[1::2]).mark_rect(color="var(--sunk)", opacity=0.55).encode(x, alt.X2("to:Q"), tooltip=["phase:N"])
    look: dict[str, Any] = {"align": "left", "baseline": "top", "dx": 4, "dy": 2, "color": "var(--soft)", "limit": 120}
    return [ground, _of(rows).mark_text(**look).encode(x, y=alt.value(0), text="phase:N")]


def heat_map(cells: Sequence[Mapping[str, Any]], steps: Sequence[str]) -> Chart:
    """A square for each source and step: source, step, left, share 0..1, label."""
    sources = list(dict.fromkeys(cell["source"] for cell in cells))
    x = alt.X(
        "step:N", sort=list(steps), title=None, axis=alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False)
    )
    y = alt.Y("source:N", sort=sources, title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=110))
    strength = alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.75]), legend=None)
    told: list[Any] = ["source:N", "step:N", alt.Tooltip("left:Q", format=","), alt.Tooltip("share:Q", format=".1%")]
    base = _of(cells).encode(x, y, tooltip=told)
    words = base.mark_text(fontSize=10, color="var(--ink)").encode(text="label:N")
    return _chart(
        alt.layer(base.mark_rect(color="var(--accent)", cornerRadius=2).encode(strength), words), 26 * len(sources)
    )


def character_map(table: Sequence[str], counts: Mapping[str, int], limits: Sequence[int], columns: int = 100) -> Chart:
    """A square for each character of ``table`` in its order, darker from each of ``limits`` of occurrences on."""
    rows = [{"c": f"{c} U+{ord(c):04X}", "n": counts.get(c, 0)} for c in table]
    lines = -(-len(table) // columns)
    base = (
        _of(rows)
        .transform_window(i="row_number()")
        .transform_calculate(x=f"(datum.i - 1) % {columns}", y=f"floor((datum.i - 1) / {columns})")
    )
    base = base.transform_calculate(right="datum.x + 0.9", bottom="datum.y + 0.9")
    shade = alt.Scale(type="threshold", domain=list(limits[1:]), range=_SHADES)
    chart = base.mark_rect().encode(
        alt.X("x:Q", scale=alt.Scale(domain=[0, columns], nice=False), axis=None),
        alt.X2("right:Q"),
        alt.Y("y:Q", scale=alt.Scale(domain=[lines, 0], nice=False), axis=None),
        alt.Y2("bottom:Q"),
        alt.Color("n:Q", scale=shade, legend=None),
        tooltip=[alt.Tooltip("c:N", title="character"), alt.Tooltip("n:Q", title="occurs", format=",")],
    )
    # escaped, so that a page's font need not hold 8,105 characters for the words that hover over them
    return _chart(chart, 7 * lines, escaped=True)


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


def _of(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.Data(values=list(rows)))


def _scale(of: Mapping[str, Any]) -> alt.Scale:
    return alt.Scale(domain=list(of), range=list(of.values()))


def _chart(chart: Any, height: int, escaped: bool = False) -> Chart:
    fitted = chart.properties(width="container", height=height, autosize=alt.AutoSizeParams(type="fit-x"))
    fitted.config = _THEME  # set by itself it would be validated: this takes longer than all else
    spec = json.dumps(fitted.to_dict(validate=False), ensure_ascii=escaped, separators=(",", ":"))
    for sign in "<>&":  # as in HTML none may stand inside of a script
        spec = spec.replace(sign, f"\\u{ord(sign):04x}")
    return Chart(Markup(spec), height)
