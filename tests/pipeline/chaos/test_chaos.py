"""Whoever is killed, whenever: the same dataset, byte for byte, and every input accounted for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.chaos import scenario
from tests.ray_head import ray_head


def strike(folder: Path, seeds: range, node: bool) -> dict[str, Any]:
    """What tests/pipeline/chaos/on_ray.py tells of these seeds, on a cluster that they share."""
    with ray_head(num_cpus=2) as head:
        environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
        where = [head.cluster, head.address, json.dumps(head.environment), str(folder)]
        command = [sys.executable, "-m", "tests.pipeline.chaos.on_ray", *where, str(seeds.start), str(seeds.stop)]
        done = subprocess.run(
            [*command, "yes" if node else "no"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=3000,
            check=False,
        )
    log = folder / "drivers.log"
    assert done.returncode == 0, done.stderr + (log.read_text()[-3000:] if log.exists() else "")
    assert "infinite" not in log.read_text()  # no worker is started again, and no task tried again, without end
    return json.loads(done.stdout.splitlines()[-1])


def check(told: dict[str, Any]) -> None:
    assert told["wrong"] == []
    sums = told["sums"]
    assert sums["inputs"] == sums["kept"] + sums["stopped"] + sums["failed"] == 28
    assert sums["failed"] == 2
    assert told["changed"] == []  # by the same command once more


def test_a_killed_worker_and_a_killed_driver_change_no_byte(tmp_path: Path) -> None:
    told = strike(tmp_path, range(1), node=False)
    check(told)
    assert told["killed"] == {"worker": 1, "driver": 1}


@pytest.mark.long
def test_twenty_seeds_of_killed_workers_drivers_and_nodes_change_no_byte(tmp_path: Path) -> None:
    told = strike(tmp_path, range(20), node=True)
    check(told)
    assert {"worker", "driver", "node"} <= set(told["killed"])


@pytest.mark.parametrize(("kills", "scenarios"), [(20, 3), pytest.param(40, 5, marks=pytest.mark.long)])
def test_drivers_that_die_at_fault_points_change_no_byte(kills: int, scenarios: int) -> None:
    """Without Ray, on a disk and in a bucket, as tests/benchmarks/chaos.py does a thousand times."""
    command = [sys.executable, "-m", "tests.benchmarks.chaos", "--kills", str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["kills"] >= kills
    assert told["scenarios"] >= scenarios  # the fourth in a bucket, the fifth with pictures that crash and eat memory


def test_the_lot_is_the_same_for_the_same_seed_and_meets_all_kinds_of_inputs() -> None:
    kinds = [scenario.kind_of(seed) for seed in range(25)]
    assert set(kinds) == set(scenario.INPUTS)
