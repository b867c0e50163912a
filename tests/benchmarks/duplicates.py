"""The search for near duplicates among hashes alone: CPU seconds and memory.

    python -m tests.benchmarks.duplicates [--rows 10000000]

Cases: unlike hashes at radius 3 and 4; a fifth of the rows in 20 clusters (at 200 thousand rows 40 million pairs); one
hash that all share. ``peak_gb``: of the whole process so far.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np

from pipeline.decide.near import NearRows, greedy_near
from tests.pipeline.decide.test_near import all_agree, clusters, one, uniform


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    cases = [
        ("clusters", clusters(200_000), 4),
        ("clusters", clusters(1_000_000), 4),
        ("one hash", one(1_000_000), 4),
        ("unlike", uniform(rows), 3),
        ("unlike", uniform(rows), 4),
    ]
    found = []
    for name, hashes, radius in cases:
        begun = time.process_time()
        none = np.zeros(len(hashes), np.uint16)
        of = greedy_near(NearRows(hashes, np.zeros(len(hashes), np.uint64), none, none, none), radius, all_agree)
        seconds = time.process_time() - begun
        found.append(
            {
                "case": name,
                "rows": len(hashes),
                "radius": radius,
                "cpu_seconds": round(seconds, 1),
                "copies": int((of != np.arange(len(of))).sum()),
                "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
            }
        )
        print(found[-1], flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
