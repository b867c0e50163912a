"""What fragments are for: work on Ray whose results do not depend on which row was faster."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from configs import RunFailed
from pipeline import cluster
from tests.pipeline.hooks import scores_of


@pytest.fixture(scope="module")
def ray_session() -> Iterator[None]:
    cluster.connect(cluster.ClusterConfig(cpus=2))
    yield
    cluster.disconnect()


@pytest.mark.long
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


def test_what_a_worker_says_comes_out_of_the_command(ray_session: None) -> None:
    with pytest.raises(RunFailed, match="nothing is lost"):
        list(cluster.each([_Group("g", [])], "stop", _Stops, cpus=0.5))


class _Stops:
    def __call__(self, group: _Group) -> _Group:
        raise RunFailed("nothing is lost")
