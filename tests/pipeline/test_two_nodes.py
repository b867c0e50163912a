"""A run on two Ray nodes over one file system: both work, and the dataset is that of one machine."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.pipeline import commands
from tests.ray_head import ray_head, ray_node

CONFIG = """
sources: [{kind: folder, name: photos, path: PHOTOS}]
fragments: {inputs: 2}
annotate:
- {kind: measure}
- {kind: "tests.pipeline.hooks:WhereConfig", log: LOG}
decide: {rules: []}
"""


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
        commands.run_to_end(config, tmp_path / "two", "--set", f"cluster.address={head.cluster}")
        second = {p.pid for p in psutil.Process(node).children(recursive=True) if p.name() == "raylet"}
        raylets = {int(line) for line in log.read_text().split()}
    assert len(raylets) == 2
    assert raylets & second
    assert commands.digest(tmp_path / "two") == commands.digest(tmp_path / "one")
