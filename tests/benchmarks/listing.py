"""Listing a long list of URLs: ``python tests/benchmarks/listing.py [--rows N]``.

A CSV of N rows (a URL, a caption of 60 characters, a license; each hundredth row repeats one of the first million)
becomes a ledger, as ``pipeline run`` lists it before it starts Ray. Told are rows per CPU second, the peak of resident
memory, when the first part of the ledger was there, and what the spill took of the disk at most. The last line is one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from pipeline.engine.list_sources import list_parts
from pipeline.sources import UrlsSource
from pipeline.store.ledger import FragmentsConfig
from pipeline.store.run_folder import RunFolder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        _write(path, rows)
        before, spent, start = _peak(), time.process_time(), time.monotonic()
        source = UrlsSource(kind="urls", name="web", list=str(path), captions=("alt",), license="license")
        first, listed = 0.0, 0
        for part in list_parts(RunFolder(Path(folder) / "run"), [source], FragmentsConfig()):
            first = first or time.monotonic() - start
            listed += sum(fragment.inputs for fragment in part)
        assert listed == rows
        figures = {
            "rows": rows,
            "rows_per_cpu_second": round(rows / (time.process_time() - spent)),
            "peak_gb": round(_peak() / 1e9, 3),
            "before_gb": round(before / 1e9, 3),
            "first_part_after": round(first / (time.monotonic() - start), 2),
        }
    print(json.dumps(figures))


def _write(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write("url,alt,license\n")
        for number in range(rows):
            page = number if number % 100 else number % 1_000_000
            file.write(
                f"https://host{page % 5000}.example/{page:09d}.jpg,A caption of sixty characters number {number:020d},CC0-1.0\n"
            )


def _peak() -> int:
    """Bytes of resident memory at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
