"""metrics.jsonl: a line per step, cut back on resume; the same numbers to TensorBoard and wandb where configured.

Fields: docs/design.md, "Files of a run".
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from configs import RunFailed, UserError
from configs.files import replace_text, writing
from trainer.monitor.config import MonitorConfig

Line = dict[str, Any]
"""Numbers by name; ``loss_by_task`` and the like are dictionaries of numbers. A number that is not finite is null."""


class _Writer(Protocol):
    """Gets every line of metrics."""

    def write(self, line: Line) -> None: ...

    def close(self) -> None: ...


class Metrics:
    """All writers behind one. What was written of the steps from ``start`` on is taken back."""

    def __init__(self, out: Path, start: int, config: MonitorConfig) -> None:
        """Raises UserError for a writer that is not installed."""
        self._writers: list[_Writer] = [_Jsonl(out, start)]
        if config.tensorboard:
            self._writers.append(_TensorBoard(out / "tensorboard", start))
        if config.wandb:
            self._writers.append(_Wandb(out, config.wandb))

    def write(self, line: Line) -> None:
        line = strict(line)
        for writer in self._writers:
            writer.write(line)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


class _Jsonl:
    def __init__(self, out: Path, start: int) -> None:
        self.path = out / "metrics.jsonl"
        kept = [line for line in read_metrics(out) if line["step"] < start]
        lacking = start - len({line["step"] for line in kept})
        if lacking:
            print(
                f"{self.path}: lacks {lacking:,} of the {start:,} steps before, whose losses are not told again",
                flush=True,
            )
        replace_text(self.path, "".join(map(_text, kept)), durable=False)
        with writing(self.path):
            self._file = self.path.open("a", encoding="utf-8")

    def write(self, line: Line) -> None:
        with writing(self.path):
            self._file.write(_text(line))
            self._file.flush()

    def close(self) -> None:
        with writing(self.path):  # once more for a line that could not be written
            self._file.close()


class _TensorBoard:
    def __init__(self, folder: Path, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder = folder
        with writing(folder):
            self._writer = SummaryWriter(str(folder), purge_step=start)

    def write(self, line: Line) -> None:
        with writing(self.folder):  # of an earlier line: a thread writes
            for name, value in numbers(line):
                self._writer.add_scalar(name, value, line["step"])

    def close(self) -> None:
        with writing(self.folder):
            self._writer.close()


class _Wandb:
    def __init__(self, out: Path, project: str) -> None:
        try:
            import wandb
        except ImportError:
            raise UserError(
                "field 'monitor.wandb': the Python package 'wandb' is not installed; pip install wandb"
            ) from None
        self._run: Any = wandb.init(project=project, dir=out, id=out.resolve().name, resume="allow")

    def write(self, line: Line) -> None:
        self._run.log(dict(numbers(line)), step=line["step"])

    def close(self) -> None:
        self._run.finish()


def numbers(line: Line) -> Iterator[tuple[str, float]]:
    """(name, number) of all numbers of a line but its step; those of a dictionary as ``loss_by_task/t2i``."""
    for name, value in line.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for key, number in inner:
            if isinstance(number, int | float) and name != "step":
                yield (f"{name}/{key}" if key else name), float(number)


def strict(line: Line) -> Line:
    """The same with null for every number that is not finite, which JSON has no word for."""
    return {name: strict(value) if isinstance(value, dict) else _finite(value) for name, value in line.items()}


def value_of(line: Line, name: str) -> float | None:
    """The finite number called ``name`` (``loss``, ``loss_by_task.t2i``), None where the line has none."""
    value: Any = line
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return _finite(float(value)) if isinstance(value, int | float) else None


def has(line: Line, name: str) -> bool:
    """Whether the line says something of ``name``, and be it null."""
    first, _, rest = name.partition(".")
    return first in line and (not rest or (isinstance(line[first], dict) and has(line[first], rest)))


def read_metrics(out: Path) -> list[Line]:
    """The lines of metrics.jsonl. A last line that a kill cut short is not one; RunFailed for one in the middle that is
    no step's, or a file that cannot be read."""
    path = out / "metrics.jsonl"
    try:
        return list(_lines(path)) if path.exists() else []
    except OSError as error:
        raise RunFailed(
            f"{path}: cannot be read ({error.strerror}); mend or remove it and repeat the command"
        ) from None


def _text(line: Line) -> str:
    return json.dumps(line, allow_nan=False) + "\n"


def _lines(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.endswith("\n"):
                try:
                    yield _step_of(json.loads(line))
                except (ValueError, RecursionError):
                    raise RunFailed(
                        f"{path}: line {number} is damaged; remove this line and repeat the command"
                    ) from None


def _step_of(found: Any) -> Line:
    """The line of a step; ValueError for one without the fields that are read again."""
    good = isinstance(found, dict) and isinstance(found.get("phase"), str) and "loss" in found
    if not good or type(found.get("step")) is not int or not isinstance(found["loss"], int | float | None):
        raise ValueError("not the line of a step")
    return strict(found)  # older versions wrote NaN


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def phase_losses(metrics: list[Line], names: list[str], over: int = 20) -> list[Line]:
    """Per phase: its name, steps, and the mean loss over its first and last ``over`` steps, a half each at most."""
    found = []
    for name in names:
        losses = [line["loss"] for line in metrics if line["phase"] == name and line["loss"] is not None]
        if losses:
            few = max(1, min(over, len(losses) // 2))
            first, last = losses[:few], losses[-few:]
            means = {"loss_start": sum(first) / len(first), "loss_end": sum(last) / len(last)}
            found.append({"phase": name, "steps": len(losses), **means})
    return found
