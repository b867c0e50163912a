"""What a training left behind, for the page: loss by phase, the sheet of samples, scores before and after.

train/metrics.jsonl ──> loss chart with a band per phase, learning rate
train/phases.json, samples.png, evaluation files ──> tables and the sheet
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.report import charts
from pipeline.report.evaluation import Sheet, Suite, read_sheet, read_suites

_WINDOW = 25
"""Steps on each side of the running mean, at most a twentieth of the training; chosen."""


_ENDS = 20
"""Steps at the start and the end of a phase over which its loss is averaged, as in the trainer's phases.json."""


@dataclass(frozen=True)
class Training:
    """Everything the page shows of a training; ``present`` is False when there is none."""

    present: bool
    command: str
    loss: Loss | None = None
    suites: list[Suite] = field(default_factory=list)
    sheet: Sheet | None = None
    ends: int = _ENDS


@dataclass(frozen=True)
class Phase:
    """A stretch of steps and the mean loss over its first and last ``_ENDS`` of them."""

    name: str
    first: int
    last: int
    start: float | None
    end: float | None


@dataclass(frozen=True)
class Loss:
    chart: charts.Chart
    rate: charts.Chart | None
    phases: list[Phase]
    steps: int
    window: int
    samples: int | None
    seconds: float | None
    """Median wall-clock time of a step."""


def read(train: Path, dataset: Path) -> Training:
    """The training at ``train``, if there is one."""
    command = f"python -m trainer fit configs/train/quickstart.yaml {train} --data {dataset}"
    if not train.is_dir():
        return Training(False, command)
    return Training(True, command, loss(read_metrics(train / "metrics.jsonl")), read_suites(train), sheet(train))


def sheet(train: Path) -> Sheet | None:
    """The sheet of samples over training, its columns named by their prompts."""
    caption = (
        "A row per moment of the training, its step on the left; a column per prompt: same seeds, averaged weights."
    )
    prompts = _prompts(train / "config.yaml")
    return read_sheet(train / "samples.png", caption + (f" Prompts: {', '.join(prompts)}." if prompts else ""))


def _prompts(config: Path) -> list[str]:
    try:
        found = yaml.safe_load(config.read_text(encoding="utf-8"))
        return [str(prompt) for prompt in found["samples"]["prompts"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError):  # a training without samples has none
        return []


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The objects of metrics.jsonl, one a line, the last one of each step; a torn last line is left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    by_step: dict[int, dict[str, Any]] = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("step"), int) and "loss" in entry:
            by_step[entry["step"]] = entry
    return [by_step[step] for step in sorted(by_step)]


def loss(metrics: Sequence[dict[str, Any]]) -> Loss | None:
    """Loss over steps, raw and smoothed within each phase, on a log axis; None without two steps."""
    if len(metrics) < 2:
        return None
    steps = np.array([m["step"] for m in metrics], dtype=np.float64)
    values = np.array([_float(m["loss"]) for m in metrics])
    names = [str(m.get("phase", "")) for m in metrics]
    window = max(1, min(2 * _WINDOW, len(metrics) // 20))
    spans = _spans(names)
    smoothed = np.concatenate([charts.smooth(values[a:b], window) for a, b in spans])
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return None
    low, high = np.quantile(positive, (0.001, 0.999))
    bands = [(steps[a], steps[min(b, len(steps) - 1)], names[a]) for a, b in spans]
    raw = np.clip(values, low, high)
    chart = charts.line_chart(
        [charts.Series(steps, raw, "raw"), *(charts.Series(steps[a:b], smoothed[a:b], "smooth") for a, b in spans)],
        ("step", "loss"),
        bands,
        log=(False, bool(high > 4 * low)),
        y_range=(float(low), float(high)),
        height=260,
    )
    phases = _phases(spans, names, steps, values)
    return Loss(chart, _rate(metrics, steps), phases, len(metrics), window, _samples(metrics), _seconds(metrics))


def _rate(metrics: Sequence[dict[str, Any]], steps: np.ndarray) -> charts.Chart | None:
    rates = np.array([_float(m.get("lr")) for m in metrics])
    if not np.isfinite(rates).any():
        return None
    return charts.line_chart(
        [charts.Series(steps, rates, "smooth")],
        ("step", "rate"),
        y_range=(0.0, float(np.nanmax(rates)) or 1.0),
        height=90,
    )


def _phases(
    spans: Sequence[tuple[int, int]], names: Sequence[str], steps: np.ndarray, values: np.ndarray
) -> list[Phase]:
    phases = []
    for a, b in spans:
        ends = [_mean(values[a : min(b, a + _ENDS)]), _mean(values[max(a, b - _ENDS) : b])]
        phases.append(Phase(names[a], int(steps[a]), int(steps[b - 1]), *ends))
    return phases


def _spans(names: Sequence[str]) -> list[tuple[int, int]]:
    """[first, end) of each run of equal names."""
    starts = [i for i in range(len(names)) if i == 0 or names[i] != names[i - 1]]
    return list(zip(starts, [*starts[1:], len(names)], strict=True))


def _samples(metrics: Sequence[dict[str, Any]]) -> int | None:
    counts = [m["samples"] for m in metrics if isinstance(m.get("samples"), int)]
    return sum(counts) if counts else None


def _seconds(metrics: Sequence[dict[str, Any]]) -> float | None:
    times = [m["seconds"] for m in metrics if isinstance(m.get("seconds"), int | float)]
    return float(np.median(times)) if times else None


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else None


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
