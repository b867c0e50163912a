"""What people look at: ``RUN/report.html``, the gallery of a dataset, the summary on the terminal.

    tables.py  ──> funnel, reasons, coverage, balance, taxonomy, scores, training   pure functions: data in, data out
                   charts/                                                           by Altair
    fetch.py   ──> pictures                                                          small copies and boxes
    build.py   ──> templates/report.html.j2, page.py, font.py                        one file without any request to elsewhere

Names are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.report.build import write_report
    from pipeline.report.inspect import inspect_dataset

__all__ = ["inspect_dataset", "write_report"]


def __getattr__(name: str) -> Any:
    if name == "write_report":
        from pipeline.report.build import write_report

        return write_report
    if name == "inspect_dataset":
        from pipeline.report.inspect import inspect_dataset

        return inspect_dataset
    raise AttributeError(f"module 'pipeline.report' has no attribute '{name}'")
