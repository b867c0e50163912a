"""Memory of deciding on many rows: ``python -m tests.benchmarks.decide_more FOLDER [--times 10]``.

FOLDER/run is what tests/benchmarks/decide.py made. Its compacted parts are taken several times, each time with other ids,
pixels and hashes, so that 10 million rows need no 80 GB of small files. Twice: with and without the search for copies.
Told is the most memory of its own, and with what is mapped from files and given back where memory is short. The last line
is one JSON object.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import load_run_config
from pipeline.decide.run import decide_run
from pipeline.store.compact import Compacted, Part
from pipeline.store.run_folder import RunFolder


class Repeated(Compacted):
    """The parts of a run several times over."""

    def __init__(self, run: RunFolder, times: int) -> None:
        super().__init__(run)
        self._base = self.parts
        parts = [(n, part) for n in range(times) for part in self._base]
        self.parts = tuple(dataclasses.replace(part, name=f"{part.name}@{n}") for n, part in parts)

    def rows(self, part: Part, columns: Sequence[str]) -> pa.Table:
        base, number = self._of(part)
        table = super().rows(base, columns)
        self._told[part.name] = self._told[base.name]
        for name in {"id", "pixel_sha256"} & set(columns):
            other = pc.utf8_replace_slice(table[name], 0, 4, f"{number:04x}")
            table = table.set_column(table.schema.get_field_index(name), name, other)
        if "phash" in columns:
            turned = table["phash"].to_numpy() ^ np.uint64(number * 0x9E3779B97F4A7C15 % 2**64)
            table = table.set_column(table.schema.get_field_index("phash"), "phash", pa.array(turned))
        return table

    def captions(self, part: Part) -> pa.ChunkedArray:
        return super().captions(self._of(part)[0])

    def thumbnails(self, part: Part, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return super().thumbnails(self._of(part)[0], rows)

    def derived(self, part: Part, kind: str, recipe: str, make: Callable[[], pa.Table]) -> pa.Table:
        return super().derived(self._of(part)[0] if kind in ("judged", "lines") else part, kind, recipe, make)

    def _of(self, part: Part) -> tuple[Part, int]:
        name, _, number = part.name.partition("@")
        return next(base for base in self._base if base.name == name), int(number or 0)


class _Own(threading.Thread):
    """Looks ten times a second at the memory that no file stands behind."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._most = 0
        self.start()

    def run(self) -> None:
        while True:
            status = Path("/proc/self/status").read_text(encoding="ascii")
            self._most = max(self._most, int(status.split("RssAnon:")[1].split()[0]))
            time.sleep(0.1)

    def peak_gb(self) -> float:
        """The most since it was asked last."""
        most, self._most = self._most, 0
        return round(most / 1e6, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=10)
    given = parser.parse_args()
    run = RunFolder(given.folder.absolute() / "run")
    config, found, own = load_run_config(run.config), [], _Own()
    for _ in range(2):  # the first one looks for copies
        begun, spent = time.monotonic(), time.process_time()
        decisions = decide_run(run, config, compacted=Repeated(run, given.times))
        told = {"rows": len(decisions.table), "copies": decisions.table["duplicate_of"].count()}
        told |= {"seconds": round(time.monotonic() - begun), "cpu_seconds": round(time.process_time() - spent)}
        told |= {"own_gb": own.peak_gb(), "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)}
        found.append(told)
        print(told, flush=True)
        del decisions
    for path in [*run.compact.rglob("*@*"), *(run.compact / "duplicates").iterdir()]:
        path.unlink()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
