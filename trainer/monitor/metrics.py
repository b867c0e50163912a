"""metrics.jsonl: a line per step, cut back on resume, and the losses by phase."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from configs.files import replace_text


class Metrics:
    """metrics.jsonl, one object per step."""

    def __init__(self, out: Path, start: int) -> None:
        """Keep the lines of the steps before ``start`` and append from there."""
        self.path = out / "metrics.jsonl"
        kept = [line for line in read_metrics(out) if line["step"] < start]
        replace_text(self.path, "".join(json.dumps(line) + "\n" for line in kept), durable=False)
        self._file = self.path.open("a", encoding="utf-8")

    def write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_metrics(out: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl; a last line that a kill cut short is not one."""
    path = out / "metrics.jsonl"
    return list(_lines(path)) if path.exists() else []


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def phase_losses(metrics: list[dict[str, Any]], names: list[str], over: int = 20) -> list[dict[str, Any]]:
    """Per phase: its name, steps, and the mean loss over its first and last ``over`` steps, a half each at most."""
    found = []
    for name in names:
        losses = [line["loss"] for line in metrics if line["phase"] == name]
        if losses:
            few = max(1, min(over, len(losses) // 2))
            first, last = losses[:few], losses[-few:]
            means = {"loss_start": sum(first) / len(first), "loss_end": sum(last) / len(last)}
            found.append({"phase": name, "steps": len(losses), **means})
    return found
