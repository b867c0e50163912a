"""``describe``'s figures as text for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_Row = Sequence[str]

_STATES = {
    "adamw": "AdamW: two moments, fp32",
    "muon": "Muon: momentum of the blocks' matrices; AdamW for the rest; fp32",
    "adamw8bit": "AdamW: two moments, 8 bits",
    "adafactor": "Adafactor: mean squares by row and column, fp32",
}
_WAYS = ("none", "selective", "full")


def format_figures(figures: dict[str, Any]) -> str:
    """Four tables, each under a line or two that say what is assumed."""
    memory = figures["memory"]
    setting = memory["setting"]
    gpus = "one GPU" if setting["gpus"] == 1 else f"each of {setting['gpus']:,} GPUs"
    batch = "1 sample" if memory["samples"] == 1 else f"{memory['samples']:,} samples"
    return "\n\n".join(
        (
            _table("parameters", [(name, f"{count:,}") for name, count in figures["parameters"].items()]),
            _table(
                "TFLOP per sample: the blocks alone, 2 for a multiply-add; training = 3 x forward;\n"
                "time at the peak of an H100 (989.4 TFLOP/s, dense bf16); image tokens: target and references",
                _flops(figures["flops"]),
            ),
            _table(f"training state on {gpus}, GB of 10^9 bytes: {_spread(setting)}", _state(memory)),
            _table(
                f"peak on {gpus}, GB: micro-batch of {batch}, products in {setting['products']}, not compiled;\n"
                "checkpointing none, selective (attention's output and the MLP's kept) or full;\n"
                "over: more than 80 GB",
                _cases(memory["cases"]),
            ),
        )
    )


def _spread(setting: dict[str, Any]) -> str:
    tp = f" and tensor parallel by {setting['tp']}" if setting["tp"] > 1 else ""
    names = {"single": "the whole transformer", "ddp": "the whole transformer on each (DDP)"}
    return names.get(setting["mode"], f"the transformer, fully sharded (FSDP2){tp}")


def _flops(cases: Sequence[dict[str, Any]]) -> list[_Row]:
    header = ("sample", "task", "image tokens", "text", "forward", "training", "at peak")
    return [header] + [
        (
            case["name"],
            case["task"].upper(),
            f"{case['image_tokens']:,}",
            f"{case['text']:,}",
            _scaled(case["forward"] / 1e12),
            _scaled(case["training"] / 1e12),
            f"{_scaled(1e3 * case['seconds_at_peak'])} ms",
        )
        for case in cases
    ]


def _state(memory: dict[str, Any]) -> list[_Row]:
    plan, setting = memory["cases"][0]["full"], memory["setting"]
    weights = setting["weights"]
    rows = (
        (f"weights, {weights}", "weights"),
        (f"gradients, {weights}" + (", one block's at a time" if setting["in_backward"] else ""), "gradients"),
        (_STATES[setting["optimizer"]], "optimizer"),
        ("averaged weights, fp32", "average"),
        ("in flight: what a block at work needs beside", "in_flight"),
        ("the optimizer's work on one parameter", "update"),
        ("total", "state"),
        ("VAE and text encoder", "encoders"),
        ("in the machine's memory, for each GPU", "host"),
    )
    return [(words, _gigabytes(plan[name])) for words, name in rows if plan[name]]


def _cases(cases: Sequence[dict[str, Any]]) -> list[_Row]:
    header = ("sample", "task", *(cell for way in _WAYS for cell in (way, "")))
    return [header] + [
        (case["name"], case["task"].upper(), *(cell for way in _WAYS for cell in _peak(case[way]))) for case in cases
    ]


def _peak(plan: dict[str, Any]) -> _Row:
    return _gigabytes(plan["peak"]), "fits" if plan["fits"] else "over"


def _gigabytes(count: int) -> str:
    return _scaled(count / 1e9)


def _scaled(number: float) -> str:
    """One decimal, but never fewer than two digits that say something."""
    return f"{number:,.1f}" if number >= 1 else f"{number:#.2g}"


def _table(title: str, rows: Sequence[_Row]) -> str:
    """Plain columns, as wide as they need; the first to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])
