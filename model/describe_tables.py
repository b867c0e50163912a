"""``describe``'s figures as text for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_Row = Sequence[str]

_OPTIMIZER_NAMES = {"adamw": "AdamW: two moments", "muon": "Muon: momentum of the blocks' matrices; AdamW for the rest"}


def format_figures(figures: dict[str, Any]) -> str:
    """Four tables, each under a line or two that say what is assumed."""
    memory = figures["memory"]
    gpus = "one GPU" if memory["gpus"] == 1 else f"each of {memory['gpus']:,} GPUs"
    batch = "1 sample" if memory["samples"] == 1 else f"{memory['samples']:,} samples"
    return "\n\n".join(
        (
            _table("parameters", [(name, f"{count:,}") for name, count in figures["parameters"].items()]),
            _table(
                "TFLOP per sample: the blocks alone, 2 for a multiply-add; training = 3 x forward;\n"
                "time at the peak of an H100 (989.4 TFLOP/s, dense bf16); image tokens: target and references",
                _flops(figures["flops"]),
            ),
            _table(
                f"training state on {gpus}, GB of 10^9 bytes: the transformer, fully sharded (FSDP2),\n"
                "without text encoder and VAE",
                _state(memory),
            ),
            _table(
                f"memory on {gpus}, GB: micro-batch of {batch}, computed in bf16, not compiled;\n"
                "activations all kept, or each block checkpointed (computed again in the backward pass);\n"
                "over: more than 80 GB",
                _cases(memory["cases"]),
            ),
        )
    )


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
    state = memory["state"]
    rows = (
        ("weights, fp32", "weights"),
        ("gradients, fp32", "gradients"),
        (f"{_OPTIMIZER_NAMES[memory['optimizer']]}, fp32", "optimizer"),
        ("averaged weights, fp32", "average"),
        ("in flight, unsharded: two blocks' weights in bf16, one block's gradients", "in_flight"),
        ("total", "total"),
    )
    return [(words, _gigabytes(state[name])) for words, name in rows]


def _cases(cases: Sequence[dict[str, Any]]) -> list[_Row]:
    header = ("sample", "task", "activations", "total", "", "checkpointed", "total", "")
    return [header] + [
        (case["name"], case["task"].upper(), *_plan(case["kept"]), *_plan(case["checkpointed"])) for case in cases
    ]


def _plan(plan: dict[str, Any]) -> _Row:
    return _gigabytes(plan["activations"]), _gigabytes(plan["total"]), "fits" if plan["fits"] else "over"


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
