"""What the order of a curriculum is worth: the same steps on the same pictures from short to long, at once, from long to short.

    python -m tests.benchmarks.curriculum OUT                              three orders, three seeds, one after the other
    python -m tests.benchmarks.curriculum OUT --seeds 0 --orders mixed     one training
    python -m tests.benchmarks.curriculum OUT --table [--plot FILE.png]    what is there so far, as Markdown and as a plot

Renders configs/synth/learn.yaml, trains configs/train/learn.yaml with its phases in each order, and reads rows of four to
eight characters that no picture of the training shows. Every part goes on where it was stopped; a run that was judged
stands in OUT/results.jsonl, a line of JSON each.

    curriculum  the phases as they stand
    mixed       one phase of as many steps and tokens, which draws each length as often as the phases together
    reverse     the last phase first
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import yaml

ROOT = Path(__file__).resolve().parents[2]
RECIPE, CONFIG = "configs/synth/learn.yaml", "configs/train/learn.yaml"
ORDERS = ("curriculum", "mixed", "reverse")
PICTURES = 12_000
LINES = 350
"""Texts of two to eight characters that are asked for, equally many of each length: 250 have four or more."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--orders", nargs="+", choices=ORDERS, default=ORDERS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--part", type=float, default=1.0, help="of the config's steps: orders differ where steps are few"
    )
    parser.add_argument("--set", action="append", default=[], metavar="a.b=value", help="of fit")
    parser.add_argument("--table", action="store_true", help="print the table and do nothing else")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="characters by length, a band from the worst seed to the best"
    )
    args = parser.parse_args()
    results = args.out / "results.jsonl"
    for seed in [] if args.table else args.seeds:
        for order in args.orders:
            if any((r["order"], r["seed"]) == (order, seed) for r in _read(results)):
                continue
            result = _run(args.out, order, seed, args.part, args.set)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result, ensure_ascii=False) + "\n")
            print(json.dumps(result, ensure_ascii=False), flush=True)
    print(_table(_read(results)))
    if args.plot:
        _plot(_read(results)).save(args.plot, scale_factor=2)


def _run(out: Path, order: str, seed: int, part: float, fields: Sequence[str]) -> dict[str, Any]:
    data, train = out / "data", out / f"{order}-{seed}"
    if not (data / "dataset.json").exists():
        _python("synth", "render", RECIPE, data, "--count", PICTURES)
    texts = pl.scan_parquet(data / "data" / "*.parquet").select("text", "text_chars").collect()
    phases = json.dumps(arranged(_phases(part), order, texts["text_chars"]))
    sets = [f"seed={seed}", f"phases={phases}", *fields]
    _python("trainer", "fit", CONFIG, train, "--data", data, *(part for field in sets for part in ("--set", field)))
    asked = [f"recipe={RECIPE}", f"lines={LINES}", "untrained=false", "damaged=0"]
    asked = [part for field in asked for part in ("--set", field)]
    _python("trainer", "evaluate", train, train / "evaluation", "--suite", "glyphs,lines", *asked)
    suites = json.loads((train / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))["suites"]
    metrics = [json.loads(line) for line in (train / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "order": order,
        "seed": seed,
        "steps": len(metrics),
        "pictures": sum(line["samples"] for line in metrics),
        "tokens": sum(line["image_tokens"] for line in metrics),
        "seconds": round(sum(line["seconds"] + line["data_seconds"] for line in metrics)),
        "glyphs": round(suites["glyphs"]["score"], 4),
        **judged(suites["lines"]["items"], set(texts["text"])),
    }


def _phases(part: float) -> list[dict[str, Any]]:
    phases = yaml.safe_load((ROOT / CONFIG).read_text(encoding="utf-8"))["phases"]
    return [{**phase, "steps": max(1, round(part * phase["steps"]))} for phase in phases]


def arranged(phases: list[dict[str, Any]], order: str, lengths: pl.Series) -> list[dict[str, Any]]:
    """The phases in an ``order`` of ORDERS. ``lengths``: characters of each picture of the dataset."""
    if order == "curriculum":
        return phases
    if order == "reverse":
        return phases[::-1]
    steps = sum(phase["steps"] for phase in phases)
    drawn: Counter[int] = Counter()
    for phase in phases:
        rows = lengths.to_frame("text_chars").filter(pl.sql_expr(phase["where"]))["text_chars"]
        pictures = phase["steps"] * phase["tokens"] / rows.mean()
        drawn.update({n: pictures * count / len(rows) for n, count in rows.value_counts().iter_rows()})
    mixture = [{"where": f"text_chars == {n}", "weight": round(drawn[n])} for n in sorted(drawn)]
    tokens = sum(phase["steps"] * phase["tokens"] for phase in phases) // steps
    return [{**phases[-1], "name": "mixed", "steps": steps, "tokens": tokens, "mixture": mixture}]


def judged(items: Sequence[dict[str, Any]], trained: set[str]) -> dict[str, Any]:
    """Of rows that were not ``trained`` on: characters read right, and rows read exactly, of four to eight characters;
    characters by length."""
    new = [item for item in items if item["text"] not in trained]
    long = [item for item in new if len(item["text"]) >= 4 and len(set(item["text"])) >= 3]
    lengths = sorted({len(item["text"]) for item in new})
    return {
        "rows": len(long),
        "characters": round(_mean(long, "characters"), 4),
        "exact": round(_mean(long, "exact"), 4),
        "by_length": {n: round(_mean([i for i in new if len(i["text"]) == n], "characters"), 3) for n in lengths},
    }


def _mean(items: Sequence[dict[str, Any]], metric: str) -> float:
    return statistics.mean(item["metrics"][metric] for item in items)


def _python(module: str, *arguments: object) -> None:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, check=False)
    if ended.returncode:
        sys.exit(f"status {ended.returncode} of {' '.join(command)}")


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _table(results: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| order | seeds | characters of 4 to 8 | rows exact | single characters | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for order in ORDERS:
        of_order = [r for r in results if r["order"] == order]
        if of_order:
            cells = [_spread([r[name] for r in of_order]) for name in ("characters", "exact", "glyphs")]
            seconds = round(statistics.mean(r["seconds"] for r in of_order))
            lines.append(f"| {order} | {len(of_order)} | {' | '.join(cells)} | {seconds:,} |")
    return "\n".join(lines)


def _plot(results: Sequence[dict[str, Any]]) -> alt.LayerChart:
    """Characters read by length of the row: the mean of the seeds and a band from the worst to the best."""
    points = [
        {"order": r["order"], "length": int(length), "characters": value}
        for r in results
        for length, value in r["by_length"].items()
    ]
    base = alt.Chart(alt.Data(values=points)).encode(
        x=alt.X("length:O", title="characters of a row", axis=alt.Axis(labelAngle=0)),
        color=alt.Color("order:N", sort=list(ORDERS), title="order"),
    )
    y = alt.Y("characters:Q", title="of them read", axis=alt.Axis(format="%"))
    band = base.mark_area(opacity=0.25).encode(
        alt.Y("min(characters):Q", title="of them read", axis=alt.Axis(format="%")), alt.Y2("max(characters):Q")
    )
    line = base.mark_line(point=True).encode(y.aggregate("mean"))
    return alt.layer(band, line).properties(width=420, height=240)


def _spread(values: Sequence[float]) -> str:
    """Mean and, of several, least and most, in percent."""
    mean = f"{100 * statistics.mean(values):.1f} %"
    return mean if len(values) == 1 else f"{mean} ({100 * min(values):.1f} to {100 * max(values):.1f})"


if __name__ == "__main__":
    main()
