"""What deciding asks of an object store: ``python -m tests.benchmarks.bucket FOLDER [--rows N] [--part N]``.

FOLDER/run is one that tests/benchmarks/decide.py made, or is made here (no byte of a picture; ``--megabytes``: of a shard).
It is copied into a bucket of moto's, behind a proxy that counts, and decided there once, so that notes of shards and what is
compacted belong to the bucket. Then the two commands are counted, each in a process of its own: a threshold that moves a
tenth of the rows, looked at and decided. The last line is one JSON object: requests in all and by folder and method.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from configs import to_plain
from configs.storage import use_storage
from pipeline.config import load_run_config
from pipeline.decide.run import decide_run, decisions_key, write_decisions
from pipeline.pack.publish import publish
from pipeline.store.run_folder import RunFolder
from tests.benchmarks.decide import command, moved, rules
from tests.benchmarks.scored_run import write_scored_run
from tests.object_store import Proxy, client, proxied, serving


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1600)
    parser.add_argument("--part", type=int, default=100, help="rows of a part of the ledger")
    parser.add_argument("--megabytes", type=int, default=1)
    given = parser.parse_args()
    run = RunFolder(given.folder.absolute() / "run")
    if not run.config.exists():
        write_scored_run(run.path, given.rows, rules(), part=given.part)
        sizes = {"megabytes": given.megabytes, "group_megabytes": given.megabytes}
        more = {"pack": sizes, "cluster": {"small": 10**6}}  # packed by this process: shards without bytes are quick
        run.config.write_text(json.dumps(json.loads(run.config.read_text()) | more))
    if not (run.dataset / "dataset.json").exists():
        config = load_run_config(run.config)
        write_decisions(run, decide_run(run, config), decisions_key(run, config))
        publish(run, config)
    shards = len(list((run.dataset / "data").iterdir()))
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server, proxied(server) as proxy:
        use_storage(server.config())
        there = server.bucket() / "run"
        files = _upload(run.path, there.parts[1], server.endpoint)
        storage = Path(folder) / "storage.yaml"
        storage.write_text(yaml.safe_dump(to_plain(server.config(proxy.endpoint))))
        found: dict[str, Any] = {"rows": given.rows, "files": files, "shards": shards}
        told = ["--storage", str(storage)]
        for name, arguments in {
            "first": ["--set", "decide.watermark.pictures=0"],
            "dry run": ["--dry-run", "--set", moved()],
            "decide": ["--set", moved()],
        }.items():
            proxy.asked.clear()
            spent = command(["decide", str(there), *arguments, *told])
            found[name] = spent | _counted(proxy)
            print(name, json.dumps(found[name], indent=1), flush=True)
    print(json.dumps(found))


def _upload(folder: Path, bucket: str, endpoint: str) -> int:
    store = client(endpoint)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    files.sort(key=lambda path: path.parts[len(folder.parts)] == "compact")  # later than what they are made of
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda f: store.upload_file(str(f), bucket, f"run/{f.relative_to(folder)}"), files))
    return len(files)


def _counted(proxy: Proxy) -> dict[str, Any]:
    kinds = Counter(_kind(method, path) for method, path in proxy.asked)
    return {"requests": sum(kinds.values()), "of": dict(kinds.most_common())}


def _kind(method: str, path: str) -> str:
    if "list-type" in path:
        prefix = re.search(r"prefix=([^&]*)", path)
        return f"LIST {prefix[1] if prefix else ''}".replace("%2F", "/")
    inside = path.split("?")[0].split("/run/")[-1]
    return f"{method} {inside.rpartition('/')[0] or inside}"


if __name__ == "__main__":
    main()
