"""Puts RUN/report.html together: read the tables, compute each part, take the pictures, fill the template.

read_run ──> funnel, reasons, coverage, balance, scores ┐
         ──> choose ──> fetch.fetch ──> pictures        ├──> templates/report.html.j2
train/   ──> training                                   ┘
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from configs import UserError
from configs.numbers import number, percent
from configs.storage import location
from configs.storage.client import before_work
from pipeline.report import balance, coverage, fetch, funnel, reasons, scores, select, training
from pipeline.report.files import list_files, next_commands
from pipeline.report.page import write_page
from pipeline.report.pictures import levels_of, plain
from pipeline.report.samples import sample
from pipeline.report.tables import RunTables, read_run
from pipeline.store.run_folder import RunFolder
from pipeline.store.timing import seconds_of
from synth.coverage import count_characters, tables

EXAMPLE_EDGE, PAIR_EDGE = 160, 240
"""Longer side in px of the copies inside the page; chosen so that together they stay at a few MB."""

_CONTENTS = (
    ("funnel", "Funnel"),
    ("timing", "Time"),
    ("samples", "Samples"),
    ("reasons", "Reasons"),
    ("failures", "Failures"),
    ("duplicates", "Duplicates"),
    ("text", "Text"),
    ("balance", "Balance"),
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
        tables = read_run(run)
    if train is not None and not location(train).is_dir():
        raise UserError(f"--train '{train}': no folder is there; `python -m trainer fit` makes one")
    summary = _summary(run) | dict(extra or {})
    context = {
        **_numbers(tables, summary),
        **_pictures(tables),
        "training": training.read(location(train) if train else run / "train", run / "dataset"),
        "files": list_files(run),
        "commands": next_commands(run),
        "config_text": yaml.safe_dump(tables.config, sort_keys=False, allow_unicode=True) if tables.config else "",
    }
    return write_page(run / "report.html", "report.html.j2", context)


def _numbers(tables: RunTables, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of the page that is no picture."""
    kept, rows = tables.kept, tables.rows
    steps = funnel.funnel(rows, tables.inputs, tables.failed)
    found = reasons.reasons(rows, tables.rules)
    return {
        "title": summary.get("title") or f"Glyphmill run: {tables.path.resolve().name}",
        "lead": _lead(tables),
        "cards": _cards(steps),
        "funnel": steps,
        "decided": tables.decided,
        "active_reasons": [r for r in found if r.stopped],
        "idle_reasons": [r for r in found if not r.stopped],
        "failure_groups": reasons.failure_groups(tables.failures),
        "duplicates": rows["duplicate_of"].count(),
        "scores": scores.score_charts(rows, tables.rules),
        "balance": balance.balance(kept),
        "footer": f"Written by glyphmill on {time.strftime('%Y-%m-%d %H:%M')}.",
        **_text(kept),
        **_times(tables.path, summary),
    }


def _text(kept: pl.DataFrame) -> dict[str, Any]:
    return {
        "kept_count": len(kept),
        "languages": coverage.distribution(kept, "text_language"),
        "text_levels": coverage.distribution(kept, "text_level"),
        "coverage": coverage.coverage(count_characters(kept["text"]), tables()),
        "shade_labels": coverage.shade_labels(),
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
    """The pictures of the page, taken from their files in one go."""
    fragments = fetch.visible_fragments(tables.rows["fragment"])
    near = tables.rows.filter(pl.col("fragment").is_in(fragments))
    kept = near.filter(pl.col("stage_to") >= pl.col("stage_from"))
    real = select.samples(kept, synthetic=False, count=select.REAL_SAMPLES)
    synthetic = select.samples(kept, synthetic=True, count=select.SYNTHETIC_SAMPLES)
    active = [r for r in reasons.reasons(near, tables.rules) if r.stopped]
    examples, passed = ({r.name: getattr(r, kind) for r in active} for kind in ("examples", "passed"))
    pairs = select.duplicates(near, select.PAIRS)
    ids = {
        *real,
        *synthetic,
        *(e.id for e in chain(*examples.values(), *passed.values())),
        *(i for pair in pairs for i in pair),
    }
    chosen = near.filter(pl.col("id").is_in(sorted(ids)))
    found = fetch.fetch(tables.path, dict(chosen.select("id", "fragment").iter_rows()))
    facts = {row["id"]: row for row in chosen.iter_rows(named=True)}
    shown = {"real_samples": [sample(found[i], facts[i]) for i in real]}
    shown["synthetic_samples"] = [sample(found[i], facts[i]) for i in synthetic]
    return {
        **shown,
        "levels": levels_of(item.picture for items in shown.values() for item in items),
        **{
            name: {n: [(plain(found[e.id], EXAMPLE_EDGE), e.value) for e in es] for n, es in shown_by_rule.items()}
            for name, shown_by_rule in (("reason_pictures", examples), ("passed_pictures", passed))
        },
        "pairs": [[plain(found[i], PAIR_EDGE) for i in pair] for pair in pairs],
    }


def _lead(tables: RunTables) -> str:
    sources = [str(source.get("name")) for source in tables.config.get("sources") or ()]
    stamp = max((p.stat().st_mtime for p in (tables.path / "decisions").glob("*.parquet")), default=None)
    when = time.strftime(", decided %Y-%m-%d %H:%M", time.localtime(stamp)) if stamp else ", not decided yet"
    return f"{number(sum(tables.inputs))} inputs from {', '.join(sources) or 'no source'}{when}."


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
