"""Memory of a run by the number of its pictures: ``python tests/benchmarks/memory.py [--pictures 10000 200000]``.

Tars of small JPEGs are run through ``pipeline run`` (collect and pack, and with ``--measure`` the shared decode) on one
CPU of Ray's. Told is the most resident memory, in MB, of the command, of Ray's workers and of their guarded children,
looked at twice a second, while pictures are collected and, apart, afterwards: deciding holds a table of numbers that
grows with the rows, packing a shard of ``pack.megabytes``. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from pipeline.store.ledger import FragmentsConfig
from tests.pipeline.hostile import encode, picture

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--measure", action="store_true")
    arguments = parser.parse_args()
    figures = {}
    for count in arguments.pictures:
        with tempfile.TemporaryDirectory() as folder:
            figures[count] = _run(Path(folder), count, arguments.measure)
            print(count, figures[count], flush=True)
    print(json.dumps({"peak_mb": figures}))


def _run(folder: Path, count: int, measure: bool) -> dict[str, int]:
    with tarfile.open(folder / "in.tar", "w") as archive:
        bodies = [encode(picture(48, 48, seed=n), "JPEG") for n in range(64)]
        for number in range(count):
            info = tarfile.TarInfo(f"{number:07d}.jpg")
            info.size = len(bodies[number % 64])
            archive.addfile(info, io.BytesIO(bodies[number % 64]))
    config = {
        "sources": [{"kind": "webdataset", "name": "tars", "tars": str(folder / "*.tar")}],
        "annotate": [{"kind": "measure"}] if measure else [],
        "cluster": {"cpus": 1},
        "dedup": {"radius": -1},
        "decide": {"rules": []},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "pipeline", "run", str(folder / "config.yaml"), str(folder / "run")]
    run = psutil.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    peaks: dict[str, int] = {}
    while run.poll() is None:
        collected = len(list((folder / "run" / "samples").glob("[!.]*"))) * FragmentsConfig().inputs >= count
        for role, megabytes in _memory(run):
            role += " afterwards" if collected else ""
            peaks[role] = max(megabytes, peaks.get(role, 0))
        time.sleep(0.5)
    assert run.returncode == 0
    return peaks


def _memory(run: psutil.Popen) -> list[tuple[str, int]]:
    found = []
    for process in [run, *run.children(recursive=True)]:
        try:
            name, size = process.name(), process.memory_info().rss // 10**6
            if process.pid == run.pid:
                found.append(("command", size))
            elif name.startswith("ray::MapWorker"):
                found.append(("worker", size))
            elif "pipeline.sandbox.child" in " ".join(process.cmdline()):
                found.append(("child", size))
        except psutil.NoSuchProcess:
            continue
    return found


if __name__ == "__main__":
    main()
