"""Looking at a run of any length: ``python -m tests.benchmarks.report FOLDER [--rows 1000192]``.

FOLDER/run is that of tests/benchmarks/decide.py, made, decided and packed where it is not yet (packed in this process, without
Ray). Then ``report`` and ``inspect`` are timed, each in a process of its own, ``report`` twice: RUN/compact is there as a
decision leaves it. Told are wall-clock and CPU seconds, the most resident memory in GB and the size of the page in MB. The
last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.config import load_run_config
from pipeline.decide.run import decide_run, decisions_key, write_decisions
from pipeline.pack.publish import index, plan
from pipeline.pack.shards import ShardWriter, shard_schema
from pipeline.store.compact import Compacted
from pipeline.store.run_folder import RunFolder
from tests.benchmarks.decide import ROOT, command, rules
from tests.benchmarks.scored_run import write_scored_run

_CASES = {
    "report": (["report", "RUN"], "report.html"),
    "inspect": (["inspect", "RUN"], "dataset.html"),
    "inspect --where": (["inspect", "RUN", "--where", "text_level >= 2 and clarity > 100"], "dataset.html"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_192)
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    run = RunFolder(given.folder.absolute() / "run")
    if given.prepare:
        _prepare(run, given.rows)
        return
    # in another process: what this one has held counts as its children's
    subprocess.run([sys.executable, "-m", "tests.benchmarks.report", *sys.argv[1:], "--prepare"], check=True, cwd=ROOT)
    found: dict[str, Any] = {"rows": given.rows}
    for name, (arguments, page) in _CASES.items():
        told = command([str(run.path) if a == "RUN" else a for a in arguments])
        found[name] = {**told, "page_mb": round((run.path / page).stat().st_size / 1e6, 1)}
        print(name, found[name], flush=True)
    print(json.dumps(found))


def _prepare(run: RunFolder, rows: int) -> None:
    if not run.config.exists():
        write_scored_run(run.path, rows, rules())
    config = load_run_config(run.config)
    if not (run.dataset / "dataset.json").exists():
        decisions = decide_run(run, config)
        key = decisions_key(run, config, decisions.compacted)
        write_decisions(run, decisions, key)
        shards = run.dataset / "data"
        shards.mkdir(parents=True, exist_ok=True)
        writer = ShardWriter(run, shards, config.captions, shard_schema(Compacted(run)).names)
        for shard in plan(run, config, decisions):
            if not (shards / shard.name).exists():
                writer(shard)
        index(run, config, decisions, key)


if __name__ == "__main__":
    main()
