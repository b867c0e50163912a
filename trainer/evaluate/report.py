"""What is left of an evaluation: evaluation.json, table.md for a model card, evaluation.html, a sheet of each suite.

Of each suite: count, score, the reader's ceiling, precision, damaged glyphs accepted, standard error, items.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from configs.files import replace_picture, replace_text
from trainer.evaluate.base import Suite
from trainer.evaluate.scores.means import Figure, figures
from trainer.evaluate.sheet import suite_sheet
from trainer.evaluate.suite_run import Judgement, Result

_HEAD = (
    "suite",
    "pictures",
    "metric",
    "score",
    "± 1 SE",
    "untrained",
    "reader on clean",
    "precision",
    "damaged read as whole",
)


def as_entry(suite: Suite, result: Result, out: Path) -> dict[str, Any]:
    """The suite's part of evaluation.json; its sheet is written, where it has pictures."""
    after, before, ceiling = (_figures(suite, part) for part in (result.after, result.before, result.ceiling))
    main, damaged = after.get(suite.main, Figure(None, None)), result.damaged
    sheet = suite_sheet(suite, result.after)
    if sheet is not None:
        replace_picture(out / f"{suite.name}.png", sheet)
    return {
        "count": len(result.after),
        "metric": suite.main,
        "score": main.value,
        "standard_error": main.error,
        "reader_ceiling": ceiling[suite.main].value if suite.main in ceiling else None,
        "precision": after["precision"].value if "precision" in after else None,
        "damaged_accepted": damaged.accepted / damaged.shown if damaged and damaged.shown else None,
        "damaged_shown": damaged.shown if damaged else 0,
        "damaged_why_not": (damaged.why if damaged else "no reader is asked, or damaged: 0") or None,
        "held_out": all(j.item.held_out for j in result.after),
        "lower_is_better": suite.lower_is_better,
        "anchors": suite.anchors,
        **{name: getattr(result, name) for name in ("missing", "extra", "broken", "failed")},
        "unread": sum(bool(j.unread) for j in result.after),
        "notes": list(result.whole.notes),
        **_moments(before, after, ceiling, result),
        "standard_errors": {name: figure.error for name, figure in after.items()},
        "groups": _groups(suite, result.after),
        **({"sheet": f"{suite.name}.png"} if sheet is not None else {}),
        "items": _items(result, out),
    }


def _figures(suite: Suite, rows: Sequence[Judgement]) -> dict[str, Figure]:
    return figures([(j.item.id, j.item.group, j.judged) for j in rows], suite.weights)


def _moments(
    before: Mapping[str, Figure], after: Mapping[str, Figure], ceiling: Mapping[str, Figure], result: Result
) -> dict[str, Any]:
    """Every metric before and after training and on clean renderings, where they were measured."""
    parts = (("before", before, result.before), ("after", after, result.after), ("ceiling", ceiling, result.ceiling))
    found: dict[str, Any] = {
        name: {"count": len(rows), **{metric: figure.value for metric, figure in of.items()}}
        for name, of, rows in parts
        if rows
    }
    found["after"] = {**found.get("after", {"count": 0}), **result.whole.figures}
    return found


def _groups(suite: Suite, rows: Sequence[Judgement]) -> dict[str, Any]:
    """Every metric of each group; a row of group "a, b" is in both."""
    names = list(dict.fromkeys(name for j in rows for name in j.item.group.split(", ") if name))
    found: dict[str, Any] = {}
    for name in names:
        inside = [(j.item.id, j.item.group, j.judged) for j in rows if name in j.item.group.split(", ")]
        of = figures(inside, {})
        main = of.get(suite.main, Figure(None, None))
        values = {metric: figure.value for metric, figure in of.items()}
        found[name] = {"count": len(inside), "score": main.value, "standard_error": main.error, **values}
    return found


def _items(result: Result, out: Path) -> list[dict[str, Any]]:
    clean, before = ({j.item.id: j for j in part} for part in (result.ceiling, result.before))
    return [_row(j, clean.get(j.item.id), before.get(j.item.id), out) for j in result.after]


def _row(j: Judgement, clean: Judgement | None, before: Judgement | None, out: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"id": j.item.id, "text": j.item.text, "prompt": j.item.prompt, "group": j.item.group}
    if j.path is not None:
        row["picture"] = str(j.path.relative_to(out)) if out in j.path.parents else str(j.path)
    for name, of in (("before", before), ("after", j), ("ceiling", clean)):
        if of is not None and of.lines is not None:
            row[name] = "\n".join(of.lines)
    if j.unread:
        row["unread"] = j.unread
    return row | {"metrics": {name: n / d if d else None for name, (n, d) in j.judged.items()}}


def write_report(out: Path, report: Mapping[str, Any]) -> None:
    """evaluation.json, table.md, evaluation.html. Suites of an earlier command in ``out`` stay in none of them."""
    replace_text(out / "evaluation.json", json.dumps(report, ensure_ascii=False, indent=1) + "\n", durable=False)
    replace_text(out / "table.md", table(report), durable=False)
    replace_text(out / "evaluation.html", _page(out, report), durable=False)


def table(report: Mapping[str, Any]) -> str:
    """A table in Markdown, with what else is known of each suite under it."""
    suites = report["suites"]
    lines = [_line(_HEAD), _line(["---"] * len(_HEAD)), *(_line(_cells(n, s)) for n, s in suites.items()), ""]
    for name, suite in suites.items():
        lines += _below(name, suite)
    about = [f"Model: {report['model'] or 'none, pictures of ' + str(report['pictures'])}. Reader: {report['reader']}."]
    return "\n".join([*lines, "", *about]) + "\n"


def _cells(name: str, suite: Mapping[str, Any]) -> list[str]:
    untrained = (suite.get("before") or {}).get(suite["metric"])
    accepted = _number(suite["damaged_accepted"])
    shown = f" of {suite['damaged_shown']}" if suite["damaged_accepted"] is not None else ""
    kept = "" if suite["held_out"] else " (texts of the training data)"
    values = (suite["score"], suite["standard_error"], untrained, suite["reader_ceiling"], suite["precision"])
    return [f"{name}{kept}", f"{suite['count']:,}", suite["metric"], *map(_number, values), f"{accepted}{shown}"]


def _below(name: str, suite: Mapping[str, Any]) -> list[str]:
    """Other metrics, groups, what was left out, what others reached."""
    others = {m: v for m, v in suite["after"].items() if m not in ("count", suite["metric"], "precision")}
    lines = [f"- {name}: " + ", ".join(f"{m} {_number(v)}" for m, v in others.items())] if others else []
    for group, found in suite["groups"].items():
        values = ", ".join(
            f"{m} {_number(v)}" for m, v in found.items() if m not in ("count", "score", "standard_error")
        )
        lines.append(f"- {name}, {group} ({found['count']:,}): {values}")
    left = [f"{suite[what]:,} {what}" for what in ("missing", "extra", "broken", "failed", "unread") if suite[what]]
    lines += [f"- {name}: {', '.join(left)}"] if left else []
    lines += [f"- {name}: {note}" for note in suite["notes"]]
    return lines + ([f"- {name}, others: {suite['anchors']}"] if suite["anchors"] else [])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def terminal(suites: Mapping[str, Any]) -> str:
    """The table's rows, aligned."""
    rows = [list(_HEAD), *(_cells(name, suite) for name, suite in suites.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _page(out: Path, report: Mapping[str, Any]) -> str:
    """One page without anything from elsewhere: the table, the remarks, the sheets."""
    suites = report["suites"]
    cells = [_HEAD, *(_cells(name, suite) for name, suite in suites.items())]
    rows = ["<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in cells]
    parts = []
    for name, suite in suites.items():
        remarks = "".join(f"<li>{html.escape(line.removeprefix('- '))}</li>" for line in _below(name, suite))
        parts.append(f"<h2>{html.escape(name)}</h2><ul>{remarks}</ul>{_sheet(out, suite)}")
    about = html.escape(f"Model: {report['model']}. Pictures: {report['pictures']}. Reader: {report['reader']}.")
    style = "body{font:14px sans-serif;margin:2em}td{padding:2px 10px;border-bottom:1px solid #ccc}img{max-width:100%}"
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>Evaluation</title><style>{style}</style>"
    return f"{head}<h1>Evaluation</h1><p>{about}</p><table>{''.join(rows)}</table>{''.join(parts)}</html>\n"


def _sheet(out: Path, suite: Mapping[str, Any]) -> str:
    if "sheet" not in suite:
        return ""
    data = base64.b64encode((out / suite["sheet"]).read_bytes()).decode()
    return f'<img alt="pictures of the suite" src="data:image/png;base64,{data}">'
