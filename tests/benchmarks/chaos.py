"""Drivers that die at fault points: ``python -m tests.benchmarks.chaos [--kills 1000]``.

Runs without Ray over pictures of which some crash, hang or eat memory (tests/pipeline/chaos/scenario.py), on the disk and in
a bucket of moto's S3 server, now and then by two drivers at once, killed before changes to files and at random moments until
one comes to its end. Each must end in the files of a run that nobody killed, byte for byte, and in sums that add up. The last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from configs.storage import StorageConfig, location
from tests.object_store import serving
from tests.pipeline.chaos.scenario import Tally, run_seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the seed to begin with")
    parser.add_argument("--server", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.server:  # in another process: the lives are forks of this one, and have no use for its threads
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the server's: a line for each request
        with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
            arguments = [*sys.argv[1:], "--server", f"{server.endpoint} {server.keys}"]
            raise SystemExit(
                subprocess.run([sys.executable, "-m", "tests.benchmarks.chaos", *arguments], check=False).returncode
            )
    endpoint, keys = given.server.split(" ", 1)
    storage = StorageConfig(endpoint, "us-east-1", keys, cache_gigabytes=0.0)
    begun, number = time.monotonic(), 0

    def bucket() -> tuple[Path, StorageConfig]:
        nonlocal number
        number += 1
        name = f"chaos-{number}"
        make = (
            "import sys; from tests.object_store import client; client(sys.argv[1]).create_bucket(Bucket=sys.argv[2])"
        )
        subprocess.run([sys.executable, "-c", make, endpoint, name], check=True)
        return location(f"s3://{name}"), storage

    def progress(tally: Tally) -> None:
        if tally.scenarios % 10 == 0:
            print(f"{time.monotonic() - begun:.0f} s: {tally}", flush=True)
        if tally.kills >= given.kills:
            print(json.dumps({**asdict(tally), "seconds": round(time.monotonic() - begun), "differing": 0}))
            raise SystemExit(0)

    with tempfile.TemporaryDirectory() as folder:
        run_seeds(range(given.first, given.first + given.kills), Path(folder), bucket, progress)


if __name__ == "__main__":
    main()
