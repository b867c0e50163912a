"""What a step's line of metrics says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from trainer.monitor.metrics import Line, strict
from trainer.order.order import Batch


def step_line(batch: Batch, phase: str, losses: Sequence[float], lr: float, norm: float, updated: bool) -> Line:
    """Strict JSON: what is not finite is null, a task or level that is absent has no key. ``losses``: of the samples.

    ``updated``: whether the step changed weights; where not, ``skipped`` is true. Levels are those of ``text_level``,
    ``unknown`` for null.
    """
    values = np.asarray(losses)
    levels = np.where(batch.levels < 0, "unknown", batch.levels.astype(str))
    tasks, counts = np.unique(batch.tasks.astype(str), return_counts=True)
    line: Line = {
        "step": batch.step,
        "phase": phase,
        "loss": float(values.mean()),
        "loss_by_task": _by(batch.tasks.astype(str), values),
        "loss_by_level": _by(levels, values),
        "samples_by_task": dict(zip(tasks.tolist(), counts.tolist(), strict=True)),
        "lr": lr,
        "grad_norm": norm,
        "samples": len(values),
        "image_tokens": int(batch.tokens.sum()),
    }
    return strict(line if updated else {**line, "skipped": True})


def gpu_peak(device: torch.device) -> Line:
    """What this process has held of the GPU at most, in GB (10^9 bytes) of torch's allocator; nothing on a CPU."""
    return {"gpu_peak_gb": round(torch.cuda.max_memory_allocated(device) / 1e9, 2)} if device.type == "cuda" else {}


def _by(keys: np.ndarray, values: np.ndarray) -> dict[str, float]:
    return {str(key): float(values[keys == key].mean()) for key in np.unique(keys)}
