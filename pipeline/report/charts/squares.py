"""Squares: of sources by stage, and of the characters of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from pipeline.report.charts.chart import Chart, finished, of

_SHADES = [f"var(--shade-{i})" for i in range(5)]


def heat_map(cells: Sequence[Mapping[str, Any]], steps: Sequence[str]) -> Chart:
    """A square for each source and step: source, step, left, share 0..1, label."""
    sources = list(dict.fromkeys(cell["source"] for cell in cells))
    x = alt.X(
        "step:N", sort=list(steps), title=None, axis=alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False)
    )
    y = alt.Y("source:N", sort=sources, title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=110))
    strength = alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.75]), legend=None)
    told: list[Any] = ["source:N", "step:N", alt.Tooltip("left:Q", format=","), alt.Tooltip("share:Q", format=".1%")]
    base = of(cells).encode(x, y, tooltip=told)
    words = base.mark_text(fontSize=10, color="var(--ink)").encode(text="label:N")
    return finished(
        alt.layer(base.mark_rect(color="var(--accent)", cornerRadius=2).encode(strength), words), 26 * len(sources)
    )


def character_map(table: Sequence[str], counts: Mapping[str, int], limits: Sequence[int], columns: int = 100) -> Chart:
    """A square for each character of ``table`` in its order, darker from each of ``limits`` of occurrences on."""
    rows = [{"c": f"{c} U+{ord(c):04X}", "n": counts.get(c, 0)} for c in table]
    lines = -(-len(table) // columns)
    base = (
        of(rows)
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
    return finished(chart, 7 * lines, escaped=True)
