"""Puts RUN/report.html together: read the tables, compute each part, take the pictures, fill the template.

read_run ──> funnel, coverage, balance, taxonomy, scores ──┐
         ──> reasons, select ──> fetch.fetch ──> pictures ─┼──> templates/report.html.j2
train/   ──> training ─────────────────────────────────────┘
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from configs import UserError
from configs.numbers import number, percent
from configs.storage import location
from configs.storage.client import before_work
from pipeline.report import balance, captions, charts, coverage, funnel, reasons, scores, select, training
from pipeline.report.fetch import fetch
from pipeline.report.files import list_files, next_commands
from pipeline.report.page import write_page
from pipeline.report.pictures import levels_of, plain, sample
from pipeline.report.stages import KEPT
from pipeline.report.tables import NUMBER, RunTables, read_run
from pipeline.report.taxonomy import taxonomy
from pipeline.store.run_folder import RunFolder
from pipeline.store.timing import seconds_of
from synth.coverage import tables as characters

EXAMPLE_EDGE, COPY_EDGE = 160, 200
"""Longer side in px of the copies inside the page; chosen so that together they stay at a few MB."""

_CONTENTS = (
    ("funnel", "Funnel"),
    ("timing", "Time"),
    ("samples", "Samples"),
    ("reasons", "Reasons"),
    ("captions", "Captions"),
    ("failures", "Failures"),
    ("duplicates", "Duplicates"),
    ("text", "Text"),
    ("balance", "Balance"),
    ("taxonomy", "Taxonomy"),
    ("scores", "Scores"),
    ("training", "Training"),
    ("files", "Files"),
)


@dataclass(frozen=True)
class _Card:
    label: str
    value: str
    note: str = ""


def write_report(run: Path, train: Path | None = None, extra: Mapping[str, Any] | None = None) -> Path:
    """Write ``run/report.html`` and return its path.

    ``train``: folder of a training on this run's dataset; by default ``run/train`` where it exists.
    ``extra``: overrides fields of ``run/summary.json`` (``seconds``: step -> seconds, ``title``).
    Raises UserError when ``run`` or ``train`` holds no such thing.
    """
    run = location(run)
    with before_work("RUN"):
        told = read_run(run)
    if train is not None and not location(train).is_dir():
        raise UserError(f"--train '{train}': no folder is there; `python -m trainer fit` makes one")
    summary = _summary(run) | dict(extra or {})
    context = {
        **_numbers(told, summary),
        **_pictures(told),
        "training": training.read(location(train) if train else run / "train", run / "dataset"),
        "files": list_files(run),
        "commands": next_commands(run),
        "config_text": yaml.safe_dump(told.config, sort_keys=False, allow_unicode=True) if told.config else "",
    }
    return write_page(run / "report.html", "report.html.j2", context)


def _numbers(tables: RunTables, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of the page that is no picture."""
    rows = tables.rows
    counts = funnel.tally(rows)
    steps = funnel.funnel(counts, tables.inputs, tables.failures)
    return {
        "title": summary.get("title") or f"Glyphmill run: {tables.path.resolve().name}",
        "lead": _lead(tables),
        "cards": _cards(steps),
        "funnel": steps,
        "runtime": charts.runtime(),
        "by_source": funnel.by_source(counts, tables.inputs, tables.failures),
        "more_sources": max(0, len(tables.inputs) - funnel.SOURCES),
        "decided": tables.decided,
        "failure_groups": reasons.failure_groups(tables.failures),
        "duplicates": rows["duplicate_of"].count(),
        "taxonomy": taxonomy(rows),
        "scores": scores.score_charts(rows, tables.rules),
        "footer": f"Written by glyphmill on {time.strftime('%Y-%m-%d %H:%M')}.",
        **_text(tables),
        **_times(tables.path, summary),
    }


def _text(tables: RunTables) -> dict[str, Any]:
    names = (NUMBER, "synthetic", "task", "text_language", "text_level", "repeats")
    kept = tables.rows.lazy().filter(KEPT).select(names).collect()
    draws = balance.character_draws(tables.texts(kept[NUMBER].to_numpy()), kept["repeats"].to_numpy())
    return {
        "kept_count": len(kept),
        "languages": coverage.distribution(kept, "text_language"),
        "text_levels": coverage.distribution(kept, "text_level"),
        "coverage": coverage.coverage(draws.counts(), characters()),
        "shade_labels": coverage.shade_labels(),
        "balance": balance.balance(kept, draws),
    }


def _times(run: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    taken = seconds_of(RunFolder(run)) | dict(summary.get("seconds") or {})
    seconds = [(name, float(value)) for name, value in taken.items()]
    return {
        "seconds": seconds,
        "seconds_most": max((value for _, value in seconds), default=0.0) or 1.0,
        "seconds_total": sum(value for _, value in seconds),
        "contents": [item for item in _CONTENTS if item[0] != "timing" or seconds],
    }


def _pictures(tables: RunTables) -> dict[str, Any]:
    """What stopped pictures, and all pictures of the page, each taken from its file once."""
    rows = tables.rows
    kept = rows.lazy().filter(KEPT).select("id", "synthetic", "text_level", "text_language", "recipe").collect()
    real = select.samples(kept, synthetic=False, count=select.REAL_SAMPLES)
    synthetic = select.samples(kept, synthetic=True, count=select.SYNTHETIC_SAMPLES)
    found = reasons.reasons(rows, tables.rules)
    said = captions.captions(tables.compacted, tables.config)
    groups = select.copies(rows)
    wanted: dict[str, set[str]] = {form: set() for form in _FORMS}
    wanted["sample"] |= {*real, *synthetic}
    wanted["example"] |= {e.id for reason in found for e in (*reason.examples, *reason.passed)}
    wanted["example"] |= {one.id for verdict in said.verdicts for one in verdict.examples}
    wanted["copy"] |= {i for group in groups for i in (group.kept, *group.stopped)}
    shown = _shown(tables, wanted)
    samples = {"real_samples": real, "synthetic_samples": synthetic}
    figures = {name: [shown[i]["sample"] for i in ids] for name, ids in samples.items()}
    return {
        **figures,
        "levels": levels_of(item.picture for items in figures.values() for item in items),
        "active_reasons": [r for r in found if r.fails],
        "idle_reasons": [r for r in found if not r.fails],
        "examples": {i: forms["example"] for i, forms in shown.items() if "example" in forms},
        "captions": said,
        "copies": groups,
        "copy_pictures": {i: forms["copy"] for i, forms in shown.items() if "copy" in forms},
    }


_FORMS: dict[str, Callable[[dict[str, Any], Mapping[str, Any]], Any]] = {
    "sample": sample,
    "example": lambda row, _: plain(row, EXAMPLE_EDGE),
    "copy": lambda row, _: plain(row, COPY_EDGE),
}
"""In what forms a picture stands on the page."""


def _shown(tables: RunTables, wanted: Mapping[str, set[str]]) -> dict[str, dict[str, Any]]:
    """id -> form -> what stands on the page. ``wanted``: form -> ids."""
    chosen = select.rows_of(tables.rows, set().union(*wanted.values()))
    facts = {row["id"]: row for row in chosen.iter_rows(named=True)}

    def show(row: dict[str, Any]) -> dict[str, Any]:
        id_ = row["id"]
        return {form: _FORMS[form](row, facts[id_]) for form, ids in wanted.items() if id_ in ids}

    return fetch(tables.compacted.run, tables.compacted.schemas, facts.values(), show)


def _lead(tables: RunTables) -> str:
    sources = [str(source.get("name")) for source in tables.config.get("sources") or ()]
    stamp = max((p.stat().st_mtime for p in (tables.path / "decisions").glob("*.parquet")), default=None)
    when = time.strftime(", decided %Y-%m-%d %H:%M", time.localtime(stamp)) if stamp else ", not decided yet"
    return f"{number(int(tables.inputs['inputs'].sum()))} inputs from {', '.join(sources) or 'no source'}{when}."


def _cards(steps: funnel.Funnel) -> list[_Card]:
    last = steps.steps[-1]
    reach = last.real.count + last.synthetic.count
    share = percent(steps.kept / steps.inputs) if steps.inputs else "–"
    return [
        _Card("Inputs", number(steps.inputs), f"{number(steps.steps[0].synthetic.count)} of them rendered"),
        _Card("Kept", number(steps.kept), f"{share} of the inputs"),
        _Card("Good to S7", number(reach), "pass every stage"),
        _Card("Stopped", number(steps.rejected), "before their first stage"),
        _Card("Failed", number(steps.failed), "could not be read or judged"),
        _Card("Rendered text", number(steps.synthetic_kept), "kept, with exact boxes"),
    ]


def _summary(run: Path) -> dict[str, Any]:
    path = run / "summary.json"
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None
    return found if isinstance(found, dict) else {}
