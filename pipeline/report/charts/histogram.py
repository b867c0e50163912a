"""Histograms of real and rendered pictures, with the thresholds of rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from configs.numbers import short
from pipeline.report.charts.chart import NUMBER, Chart, by_kind, finished, of
from pipeline.report.charts.scale import Scale

_SIDES = {"real": 1, "rendered": -1}
"""Which way bars of a kind grow."""
_COLORS = {"real": "var(--real)", "rendered": "var(--synthetic)"}


@dataclass(frozen=True)
class Cut:
    """A threshold at ``value``: what is ``above`` or ``below`` of it is kept (``equal``: all else stops).

    ``lanes``: whether it judges any (real, rendered) picture.
    """

    value: float
    side: str
    label: str
    lanes: tuple[bool, bool] = (True, True)


def histogram(lanes: Mapping[str, np.ndarray], scale: Scale, cuts: Sequence[Cut] = (), height: int = 120) -> Chart:
    """Bars of real pictures upward and of rendered ones downward, each relative to its own peak, and the thresholds.

    ``lanes``: ``real`` and ``rendered`` -> values; one without any is left out.
    """
    shown = {kind: values for kind, values in lanes.items() if len(values)}
    x = alt.X("from:Q", scale=scale.altair(), title=None, axis=alt.Axis(grid=False, tickCount=5, labelExpr=NUMBER))
    ends = [min(0, *(_SIDES[kind] for kind in shown)), max(0, *(_SIDES[kind] for kind in shown))] if shown else [0, 1]
    y = alt.Y("size:Q", scale=alt.Scale(domain=[1.05 * end for end in ends]), axis=None)
    bars = [bar for kind, values in shown.items() for bar in _bars(kind, scale.count(values), scale.edges())]
    layers = [
        of(bars)
        .mark_bar(clip=True)
        .encode(x, alt.X2("to:Q"), y, alt.Y2("zero:Q"), alt.Color("kind:N", scale=by_kind(_COLORS), legend=None))
        .encode(tooltip=["kind:N", "values:N", alt.Tooltip("pictures:Q", format=",")])
    ]
    if cuts:
        layers += _thresholds(cuts, scale, x, y, ends)
    return finished(alt.layer(*layers), height)


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
    stopped = of(rows).mark_rect(color="var(--bad)", opacity=0.09, clip=True).encode(x, alt.X2("to:Q"), **both)
    line: dict[str, Any] = {"color": "var(--bad)", "strokeDash": [4, 3], "strokeWidth": 1.5, "clip": True}
    return [stopped, of(rows).mark_rule(**line).encode(alt.X("at:Q", scale=scale.altair()), **both)]
