"""The folders of checkpoints: which are whole, which is the best, which stay. Only rank 0 changes anything here.

OUT/checkpoints/step-1000/   shards of torch's distributed checkpoint (DCP), base.json
OUT/checkpoints/step-1000/complete    written last: without it there is no checkpoint (model/complete.py)
OUT/checkpoints/best.json    JSON {"step", "metric", "value"}
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

from configs import RunFailed
from configs.files import remove_temporary, replace_text
from model.complete import MARKER

_PREFIX = "step-"
_OLD_MARKER = "step.json"
"""Of the form before DCP, whose folders appeared whole; its names were padded with zeros."""


def checkpoints(out: Path) -> list[Path]:
    """Complete checkpoints by step, earliest first, whatever their names are padded with."""
    folders = (p for p in (out / "checkpoints").glob(f"{_PREFIX}*") if p.name.removeprefix(_PREFIX).isdecimal())
    return sorted((p for p in folders if _is_complete(p)), key=step_of)


def _is_complete(folder: Path) -> bool:
    return (folder / MARKER).is_file() or is_old(folder)


def is_old(folder: Path) -> bool:
    """Whether it is of the form before DCP: safetensors and one file of optimizer state."""
    return (folder / _OLD_MARKER).is_file() and not (folder / MARKER).is_file()


def step_of(folder: Path) -> int:
    """Steps done, from the name."""
    return int(folder.name.removeprefix(_PREFIX))


def done_steps(folder: Path) -> int:
    """The same of a checkpoint under any name, as its marker has it."""
    marker = folder / (_OLD_MARKER if is_old(folder) else MARKER)
    return int(json.loads(marker.read_text("utf-8"))["step"])


def checkpoint_path(out: Path, step: int) -> Path:
    return out / "checkpoints" / f"{_PREFIX}{step}"


def remove_unfinished(out: Path) -> None:
    """Remove what a killed process left: folders without their marker, temporary files, also of older versions."""
    folder = out / "checkpoints"
    for path in folder.glob(f"{_PREFIX}*"):
        if path.is_dir() and not _is_complete(path):
            print(f"{path}: was not finished ('{MARKER}' is not there) and is removed", flush=True)
            shutil.rmtree(path)
    remove_temporary(out)


def put_aside(damaged: list[Path]) -> None:
    """Rename checkpoints that cannot be read, so that they are not counted among those that stay."""
    for folder in damaged:
        target = folder.with_name(f"damaged-{folder.name}")
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)


def keep(out: Path, count: int) -> None:
    """Remove all but the newest ``count`` checkpoints and the best one."""
    kept = read_best(out).get("step")
    for folder in checkpoints(out)[:-count]:
        if step_of(folder) != kept:
            # Without its marker it is no checkpoint any more, so that a kill in the middle leaves no half of one.
            (folder / MARKER).unlink(missing_ok=True)
            (folder / _OLD_MARKER).unlink(missing_ok=True)
            shutil.rmtree(folder)


def read_best(out: Path) -> dict[str, Any]:
    """{"step", "metric", "value"} of the best checkpoint so far; empty where there is none. Raises RunFailed."""
    path = out / "checkpoints" / "best.json"
    try:
        return _best(json.loads(path.read_text("utf-8"))) if path.exists() else {}
    except (OSError, ValueError, RecursionError):
        raise RunFailed(f"{path}: is damaged; delete it and repeat the command: the next best one is kept") from None


def _best(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or not isinstance(found.get("step"), int):
        raise ValueError("no step")
    if not isinstance(found.get("metric"), str) or not isinstance(found.get("value"), int | float):
        raise ValueError("no metric and its value")
    if not math.isfinite(found["value"]):
        raise ValueError("nothing is better than NaN, or worse")
    return found


def write_best(out: Path, step: int, metric: str, value: float) -> None:
    text = json.dumps({"step": step, "metric": metric, "value": value}) + "\n"
    replace_text(out / "checkpoints" / "best.json", text)
