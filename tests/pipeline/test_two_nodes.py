"""A run on two Ray nodes, over one file system or a bucket: both work, and the dataset is that of one machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from configs.files import created_once
from tests.object_store import Server
from tests.pipeline import commands
from tests.pipeline.sources import test_webdataset as web
from tests.ray_head import Head, ray_head, ray_node

CONFIG = """
sources: [{kind: folder, name: photos, path: PHOTOS}]
fragments: {inputs: 2}
annotate:
- {kind: measure}
- {kind: "tests.pipeline.hooks:WhereConfig", log: LOG}
decide: {rules: []}
"""

TOGETHER = ("--set", "annotate.1.nodes=2")


@pytest.mark.long
def test_two_nodes_share_the_work_and_end_in_the_same_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands.write_pictures(tmp_path / "photos", 40)
    log, config = tmp_path / "log", tmp_path / "config.yaml"
    config.write_text(CONFIG.replace("PHOTOS", str(tmp_path / "photos")).replace("LOG", str(log)))
    commands.run_to_end(config, tmp_path / "one", "--set", "cluster.cpus=1")
    assert len(set(log.read_text().split())) == 1
    log.unlink()
    with ray_head(num_cpus=1) as head, ray_node(head) as node:
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        commands.run_to_end(config, tmp_path / "two", *TOGETHER, "--set", f"cluster.address={head.cluster}")
        second = {p.pid for p in psutil.Process(node).children(recursive=True) if p.name() == "raylet"}
        raylets = {int(line) for line in log.read_text().split()}
    assert len(raylets) == 2
    assert raylets & second
    assert commands.digest(tmp_path / "two") == commands.digest(tmp_path / "one")


IN_A_BUCKET = """
sources: [{kind: webdataset, name: web, tars: "BUCKET/in/*.tar"}]
fragments: {inputs: 2}
annotate:
- {kind: measure}
- {kind: "tests.pipeline.hooks:WhereConfig", log: BUCKET/log}
decide: {rules: []}
storage: {endpoint: ENDPOINT, region: us-east-1}
"""
SEEN = """
import os, sys, ray
ray.init(sys.argv[1], log_to_driver=False, logging_level="error")
seen = ray.remote(num_cpus=0, resources={"second": 0.1})(lambda paths: [os.path.exists(path) for path in paths])
print(ray.get(seen.remote(sys.argv[2:])))
"""


@pytest.mark.long
def test_two_nodes_that_share_nothing_but_a_bucket_end_in_the_dataset_of_one(
    bucket: Path, object_store: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces are allowed here: the second node could not be kept from the driver's files")
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}  # the keys' file is the driver's, too
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    with created_once(bucket / "in" / "a.tar") as file:
        web.tar(file, [part for i in range(40) for part in web.sample(f"{i:03d}", f"number {i}")])
    config = tmp_path / "config.yaml"
    text = IN_A_BUCKET.replace("BUCKET", str(bucket)).replace("ENDPOINT", object_store.endpoint)
    config.write_text(text)
    commands.run_to_end(config, tmp_path / "one", "--set", "cluster.cpus=1")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    hidden = [tmp_path, object_store.keys.parent]
    with ray_head(num_cpus=1) as head, ray_node(head, 1, [*hidden, head.folder], TMPDIR="/tmp", **keys) as node:
        assert (
            seen_there(head, config, tmp_path / "one", tmp_path / "tmp", object_store.keys)
            == "[False, False, False, False]"
        )
        anew = ("--set", f"annotate.1.log={bucket}/log2")
        commands.run_to_end(config, bucket / "two", *TOGETHER, *anew, "--set", f"cluster.address={head.cluster}")
        second = {p.pid for p in psutil.Process(node).children(recursive=True) if p.name() == "raylet"}
    raylets = {int(path.read_text()) for path in (bucket / "log2").iterdir()}
    assert len(raylets) == 2
    assert raylets & second
    assert commands.digest(bucket / "two") == commands.digest(tmp_path / "one")


def seen_there(head: Head, *paths: Path) -> str:
    """Which paths a task on the second node sees."""
    command = [sys.executable, "-c", SEEN, head.cluster, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=180).stdout.strip()
