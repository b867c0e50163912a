"""Packing: ``python -m tests.benchmarks.pack [--rows 65536] [--bytes 2000 100000]``.

A scored run with random bytes for pictures is decided, and all that it keeps is packed by one worker, without Ray: first
with the work that is done once for a run (nested columns are compacted), then again. Told are rows per CPU second and
second, and MB of the shards per second. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from pipeline.config import load_run_config
from pipeline.decide.run import decide_run
from pipeline.pack.publish import plan
from pipeline.pack.shards import ShardWriter, shard_schema
from pipeline.store.compact import Compacted
from tests.benchmarks.scored_run import write_scored_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=65_536)
    parser.add_argument("--bytes", type=int, nargs="+", default=[2_000, 100_000])
    given = parser.parse_args()
    found = []
    for length in given.bytes:
        with tempfile.TemporaryDirectory() as folder:
            found += _measured(Path(folder), given.rows if length < 10_000 else given.rows // 4, length)
    print(json.dumps(found))


def _measured(folder: Path, rows: int, length: int) -> list[dict[str, object]]:
    run = write_scored_run(folder / "run", rows, [], picture=length)
    config = load_run_config(run.config)
    decisions = decide_run(run, config)
    shards = plan(run, config, decisions)
    told = []
    for name in ("first", "again"):
        begun, spent = time.monotonic(), time.process_time()
        writer = ShardWriter(run, folder / name, config.captions, shard_schema(Compacted(run)).names)
        for shard in shards:
            writer(shard)
        seconds, cpu = time.monotonic() - begun, time.process_time() - spent
        size = sum(path.stat().st_size for path in (folder / name).glob("*.parquet"))
        told.append(
            {
                "bytes": length,
                "pass": name,
                "rows": len(decisions.kept),
                "shards": len(shards),
                "rows_per_cpu_second": round(len(decisions.kept) / cpu),
                "rows_per_second": round(len(decisions.kept) / seconds),
                "mb_per_second": round(size / seconds / 1e6),
            }
        )
        print(told[-1], flush=True)
    return told


if __name__ == "__main__":
    main()
