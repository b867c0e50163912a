"""A finished chart: a specification that a page holds, the look that all share, and the library that draws them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

NUMBER = "abs(datum.value) >= 10000 ? format(datum.value, '~s') : format(datum.value, '~g')"
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


@cache
def runtime() -> Markup:
    """Vega, Vega-Lite and Vega-Embed, a script of a megabyte: once in each page that has a chart."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return Markup(script.replace("</script", "<\\/script"))


def of(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """A chart of these rows, which the page will hold."""
    return alt.Chart(alt.Data(values=list(rows)))


def by_kind(looks: Mapping[str, Any]) -> alt.Scale:
    """The look (a color, an opacity) of each kind of mark."""
    return alt.Scale(domain=list(looks), range=list(looks.values()))


def finished(chart: Any, height: int, escaped: bool = False) -> Chart:
    """``chart`` as wide as its place and ``height`` px high, without the axes. ``escaped``: in ASCII."""
    fitted = chart.properties(width="container", height=height, autosize=alt.AutoSizeParams(type="fit-x"))
    fitted.config = _THEME  # given to ``properties`` it would be validated, which takes longer than all else
    spec = json.dumps(fitted.to_dict(validate=False), ensure_ascii=escaped, separators=(",", ":"))
    for sign in "<>&":  # as in HTML none may stand inside of a script
        spec = spec.replace(sign, f"\\u{ord(sign):04x}")
    return Chart(Markup(spec), height)
