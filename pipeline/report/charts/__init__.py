"""Charts of the pages, by Altair: numbers in, a Vega-Lite specification out, which page.js draws where it comes into sight.

    values ──bins──> histogram ─┐
    Series ─────────────────────┼──Altair──> Chart(JSON of Vega-Lite) ──> <script type="application/json">
    cells ──────────────────────┘            runtime() ──once a page──> Vega itself

Colors are the variables of style.css, so that a chart is light or dark as its page is.
"""

from pipeline.report.charts.chart import Chart, runtime
from pipeline.report.charts.histogram import Cut, histogram
from pipeline.report.charts.lines import Series, line_chart, smooth
from pipeline.report.charts.scale import Scale, fit
from pipeline.report.charts.squares import character_map, heat_map

__all__ = [
    "Chart",
    "Cut",
    "Scale",
    "Series",
    "character_map",
    "fit",
    "heat_map",
    "histogram",
    "line_chart",
    "runtime",
    "smooth",
]
