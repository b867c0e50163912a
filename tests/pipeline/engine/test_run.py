"""Killed at any moment and started again: the same files, byte for byte."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from configs import RunFailed
from pipeline import cluster
from tests.pipeline import commands
from tests.pipeline.hooks import scores_of

CONFIG = """
sources: [{kind: folder, name: photos, path: PHOTOS}]
fragments: {inputs: 4}
annotate:
- {kind: "tests.pipeline.hooks:EyesConfig"}
- {kind: "tests.pipeline.hooks:ThumbConfig"}
- {kind: "tests.pipeline.hooks:MatesConfig"}
cluster: {cpus: 2}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    commands.write_pictures(folder / "photos", 48)
    (folder / "config.yaml").write_text(CONFIG.replace("PHOTOS", str(folder / "photos")))
    return folder / "config.yaml"


def test_a_killed_worker_and_a_killed_driver_change_no_byte(config: Path, tmp_path: Path) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    output = commands.run_to_end(config, undisturbed, "--set", "cluster.small=12")
    assert "starting Ray" not in output  # threads and Ray leave the same bytes

    process = commands.start(config, disturbed)
    commands.wait_for(lambda: len(commands.committed(disturbed, "scores/mates")) >= 1, process)
    next(commands.guarded_workers(process.pid)).send_signal(signal.SIGKILL)
    before = len(commands.committed(disturbed, "scores/mates"))
    commands.wait_for(lambda: len(commands.committed(disturbed, "scores/mates")) >= before + 3, process)
    process.send_signal(signal.SIGKILL)
    output, _ = process.communicate()
    assert "infinite" not in output  # no worker is started again, and no task tried again, without end
    done = len(commands.committed(disturbed, "scores/mates"))
    assert 1 < done < 12

    output = commands.run_to_end(config, disturbed)
    assert "listed" not in output
    assert "collect" not in output
    assert commands.digest(disturbed) == commands.digest(undisturbed)
    assert commands.table(disturbed, "scores/mates")["mates_state"].to_list() == ["ok"] * 48

    start = time.time()
    (config.parent / "photos" / "000.png").write_bytes(b"edited after it was collected: changes nothing")
    commands.run_to_end(config, disturbed)
    assert commands.digest(disturbed) == commands.digest(undisturbed)
    assert max(p.stat().st_mtime for p in disturbed.rglob("*.parquet")) < start


@pytest.fixture(scope="module")
def ray_session() -> Iterator[None]:
    cluster.connect(cluster.ClusterConfig(cpus=2))
    yield
    cluster.disconnect()


def test_plain_batches_depend_on_timing_and_fragments_do_not(ray_session: None) -> None:
    ids = [f"{random.Random(i).getrandbits(128):032x}" for i in range(32)]
    first = _plain(ids)
    assert any(_plain(ids) != first for _ in range(4))  # nearly always the first time
    ours = [_by_fragment(ids) for _ in range(2)]
    assert ours[0] == ours[1]


def _plain(ids: list[str]) -> dict[str, float]:
    """As one would write it: rows that take a random while, then a model on batches of four."""
    import ray.data

    dataset = ray.data.from_items([{"id": id_} for id_ in ids], override_num_blocks=16)
    # Other resources than the step before it, as a model has: else Ray fuses both and nothing can overtake.
    model = {"num_cpus": 0.5, "compute": ray.data.ActorPoolStrategy(size=1)}
    slow = dataset.map_batches(_delayed, batch_size=1, num_cpus=0.4).map_batches(_Model, batch_size=4, **model)
    return {row["id"]: row["score"] for row in slow.iter_rows()}


def _delayed(batch: dict) -> dict:
    time.sleep(random.random() * 0.2)
    return batch


class _Model:
    def __call__(self, batch: dict) -> dict:
        return {"id": batch["id"], "score": scores_of(list(batch["id"]))}


def _by_fragment(ids: list[str]) -> dict[str, float]:
    items = [_Group(f"group-{i}", ids[i : i + 4]) for i in range(0, len(ids), 4)]
    results = cluster.each(items, "score", _Fragment, cpus=0.5)
    return {id_: score for scores in results for id_, score in scores}


@dataclass(frozen=True)
class _Group:
    name: str
    ids: list[str]


class _Fragment:
    def __call__(self, group: _Group) -> list[tuple[str, float]]:
        return list(zip(group.ids, scores_of(group.ids), strict=True))


@pytest.mark.parametrize("small", [0, 1])
def test_what_a_worker_says_comes_out_of_the_command(ray_session: None, small: int) -> None:
    with pytest.raises(RunFailed, match="nothing is lost"):
        list(cluster.each([_Group("g", [])], "stop", _Stops, (), cluster.ClusterConfig(small=small), cpus=0.5))


class _Stops:
    def __call__(self, group: _Group) -> _Group:
        raise RunFailed("nothing is lost")
