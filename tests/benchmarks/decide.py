"""Deciding on a scored run of any length: ``python -m tests.benchmarks.decide FOLDER [--rows 1000192] [--sources 1]``.

FOLDER/run is made (tests/benchmarks/scored_run.py; no byte of a picture), compacted, decided and packed, each only if it
is not yet. Then the commands are timed, each in a process of its own: a threshold that moves a tenth of the rows, looked
at and decided; other settings of ``dedup``, so that copies are looked for anew. Told are wall-clock and CPU seconds and the
most resident memory in GB. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipeline import cluster
from pipeline.config import PipelineConfig, load_run_config
from pipeline.decide.run import decide_run, decisions_key, write_decisions
from pipeline.pack.publish import publish
from pipeline.store.run_folder import RunFolder
from tests.benchmarks.scored_run import write_scored_run

ROOT = Path(__file__).resolve().parents[2]
_CASES = {
    "dry run": ["decide", "RUN", "--dry-run", "--set", "MOVED"],
    "dry run, duplicates anew": ["decide", "RUN", "--dry-run", "--set", "dedup.pixels=7"],
    "decide": ["decide", "RUN", "--set", "MOVED"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_192)
    parser.add_argument("--sources", type=int, default=1)
    parser.add_argument("--no-pack", action="store_true", help="dry runs alone")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.prepare:  # in another process: what this one has held counts as its children's
        subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.decide", *sys.argv[1:], "--prepare"], check=True, cwd=ROOT
        )
    run = RunFolder(given.folder.absolute() / "run")
    found: dict[str, Any] = {"rows": given.rows}
    if not run.config.exists():
        write_scored_run(run.path, given.rows, rules(), given.sources)
    config = load_run_config(run.config)
    if not (run.decisions / "decisions.parquet").exists():
        found["compact and decide for the first time"] = _seconds(lambda: _decide(run, config))
    if not given.no_pack and not (run.dataset / "dataset.json").exists():
        cluster.connect(config.cluster)
        found["pack"] = _seconds(lambda: publish(run, config))
    if given.prepare:
        print(found, flush=True)
        return
    for name, arguments in _CASES.items():
        if not given.no_pack or name != "decide":
            found[name] = command([{"RUN": str(run.path), "MOVED": moved()}.get(a, a) for a in arguments])
            print(name, found[name], flush=True)
    print(json.dumps(found))


def rules() -> list[dict[str, Any]]:
    """Those of configs/pipeline/folder.yaml, and one of S3."""
    text = (ROOT / "configs" / "pipeline" / "folder.yaml").read_text(encoding="utf-8")
    clip = {"name": "S3.clip", "stage": 3, "keep": "clip_en >= 0.1 or clip_zh >= 0.1"}
    return [*yaml.safe_load(text)["decide"]["rules"], clip]


def moved() -> str:
    """Another threshold: a tenth of the rows that pass the rules before it."""
    number = next(number for number, rule in enumerate(rules()) if rule["name"] == "S2.clarity")
    return f"decide.rules.{number}.keep=clarity >= 80"


def _decide(run: RunFolder, config: PipelineConfig) -> None:
    write_decisions(run, decide_run(run, config), decisions_key(run, config))


def _seconds(work: Callable[[], object]) -> dict[str, float]:
    begun = time.monotonic()
    work()
    return {"seconds": round(time.monotonic() - begun, 1)}


def command(arguments: list[str]) -> dict[str, float]:
    """Wall-clock and CPU seconds and the most memory of ``python -m pipeline`` with these arguments."""
    begun = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "pipeline", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"python -m pipeline {' '.join(arguments)}: ended with status {status}")
    spent = usage.ru_utime + usage.ru_stime
    return {
        "seconds": round(time.monotonic() - begun, 1),
        "cpu_seconds": round(spent, 1),
        "peak_gb": round(usage.ru_maxrss / 1e6, 2),
    }


if __name__ == "__main__":
    main()
