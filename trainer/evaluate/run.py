"""``python -m trainer evaluate CKPT OUT --suite NAME[,NAME...]``: draw, read, score; run again, it goes on.

    CKPT ──────draw──> OUT/SUITE/pictures ─┐
    --pictures FOLDER ─────────────────────┼─ reader ─> readings.jsonl ─ judge ─> evaluation.json, table.md,
    texts ─> OUT/SUITE/clean, damaged ─────┘                                      evaluation.html, SUITE.png

"Untrained" is the same network with the fresh weights that ``model init`` gives it, so the difference
is what training did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs import UserError
from model.device import named_device
from trainer.evaluate.base import Item, Subject, Suite
from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.drawing.model import find_model
from trainer.evaluate.reading.readers import ReaderSpec
from trainer.evaluate.reading.readings import Readings
from trainer.evaluate.report import as_entry, terminal, write_report
from trainer.evaluate.suite_run import SuiteRun
from trainer.evaluate.suites.registry import open_suites
from trainer.state.held import held

_DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Asked:
    """What the command line names. ``checkpoint``: None where all pictures were made elsewhere. ``reader``: paddle or a
    URL. ``device``: None takes a GPU where there is one. ``dtype``: None takes the stored one."""

    checkpoint: Path | None
    suites: tuple[str, ...]
    pictures: Path | None = None
    reader: str = "paddle"
    device: str | None = None
    dtype: str | None = None


def evaluate(asked: Asked, out: Path, config: EvaluateConfig) -> dict[str, Any]:
    """Run the suites and return what stands in ``out/evaluation.json``.

    Raises UserError before any work, RunFailed where the model draws nothing or the reader dies: what was drawn and read
    is kept.
    """
    suites = open_suites(asked.suites, config)
    spec = ReaderSpec(asked.reader, config.server)
    _check(asked, suites, spec)
    todo = [(suite, suite.items()) for suite in suites]
    with held(out, False, None):
        subject = _subject(asked, out, config)
        for suite in suites:
            suite.check(subject)
        readings = Readings(out / "readings.jsonl", spec, config.readers)
        entries: dict[str, Any] = {}
        for suite, items in todo:
            if not items and suite.draws != "nothing":
                print(f"evaluate: {config.recipe} has nothing for the suite '{suite.name}'")
                continue
            entries[suite.name] = _run(asked, suite, items, subject, readings, out)
        report = {"model": str(subject.folder) if subject else None, **_about(asked, spec, config), "suites": entries}
        write_report(out, report)
    print(terminal(entries))
    return report


def _run(
    asked: Asked, suite: Suite, items: list[Item], subject: Subject | None, readings: Readings, out: Path
) -> dict[str, Any]:
    run = SuiteRun(suite, items, out / suite.name, subject, readings)
    folder = asked.pictures if suite.draws != "nothing" else None
    result = run.run(folder, len(asked.suites))
    return as_entry(suite, result, out)


def _check(asked: Asked, suites: Sequence[Suite], spec: ReaderSpec) -> None:
    if asked.checkpoint is None:
        needs = next((suite.name for suite in suites if suite.draws == "nothing"), None)
        if needs:
            raise UserError(f"suite {needs}: is measured on a model; name it instead of '-'")
        if asked.pictures is None:
            raise UserError("CKPT is '-', so the pictures have to come from elsewhere: --pictures FOLDER")
    if any(suite.reads for suite in suites):
        spec.check()
    if asked.dtype is not None and asked.dtype not in _DTYPES:
        raise UserError(f"--dtype: '{asked.dtype}'; one of {', '.join(_DTYPES)} is needed")
    named_device(asked.device)


def _subject(asked: Asked, out: Path, config: EvaluateConfig) -> Subject | None:
    if asked.checkpoint is None:
        return None
    folder = find_model(asked.checkpoint, out)
    # Ray's workers have GPUs where this process may have none, and each sees its own as the first.
    device = "cuda" if config.gpus and asked.device is None else str(named_device(asked.device))
    return Subject(asked.checkpoint, folder, device, asked.dtype)


def _about(asked: Asked, spec: ReaderSpec, config: EvaluateConfig) -> dict[str, Any]:
    sampling = {name: getattr(config, name) for name in ("steps", "cfg", "negative", "seed", "per_prompt")}
    pictures = str(asked.pictures) if asked.pictures else None
    return {"pictures": pictures, "reader": spec.key, "sampling": {**sampling, "recipe": config.recipe}}
