"""The annotate step without Ray: its workers are plain callables over files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from configs import RunFailed, UserError
from configs.pictures import Limits
from pipeline import cluster, schema
from pipeline.annotators.base import Annotator, Picture
from pipeline.engine.annotate import HOPELESS, FragmentWork, ModelWorker, PixelWorker, steps
from pipeline.engine.collect import Collector
from pipeline.engine.list_sources import list_sources
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import FolderSource
from pipeline.store.embeddings import embeddings
from pipeline.store.failures import write_failures
from pipeline.store.ledger import Fragment, FragmentsConfig
from pipeline.store.run_folder import RunFolder
from tests.pipeline.commands import table, write_pictures
from tests.pipeline.hooks import Eyes, Saboteur, Thumb
from tests.pipeline.rows import sample_table

LIMITS, GUARD = Limits(), GuardConfig(seconds=20, retries=0)


class Always(Annotator):
    """Broken: fails whatever it sees."""

    name = "always"
    columns = ()
    version = "1"
    input = "bytes"

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        raise OSError("no weights")


def collected(tmp_path: Path, names: Sequence[str]) -> tuple[RunFolder, Fragment]:
    """A run with one collected fragment of pictures with the given names."""
    folder, run = tmp_path / "photos", RunFolder(tmp_path / "run")
    write_pictures(folder, len(names), edge=32)
    for index, name in enumerate(names):
        (folder / f"{index:03d}.png").rename(folder / name)
    source = FolderSource("folder", "photos", str(folder))
    (fragment,) = list_sources(run, [source], FragmentsConfig())
    Collector(run, {"photos": source.reader()}, LIMITS, GUARD)(fragment)
    return run, fragment


def test_each_state_says_why_a_score_is_null(tmp_path: Path) -> None:
    run, fragment = collected(tmp_path, ["a.png", "b-crash-pixels.png", "c-raise.png", "d.png"])
    work = PixelWorker(run, [Eyes()], [Thumb()], LIMITS, GUARD)(FragmentWork(fragment))
    work = ModelWorker(run, Thumb(), ["eyes"], True, GUARD)(work)
    assert work == FragmentWork(fragment)
    ModelWorker(run, Saboteur(), ["eyes"], True, GUARD)(work)
    states = [table(run.path, f"scores/{a}")[f"{a}_state"].to_list() for a in ("eyes", "thumb", "saboteur")]
    assert states == [
        ["ok", "failed", "ok", "ok"],
        ["ok", "failed", "ok", "ok"],
        ["ok", "failed", "failed", "ok"],
    ]
    assert write_failures(run, fragment.name, ["eyes", "thumb", "saboteur"]) == 2
    assert table(run.path, "failures").drop("id").rows() == [
        ("b-crash-pixels.png", "decode", "crashed: SIGSEGV", "crash", 1),
        ("c-raise.png", "saboteur", "ValueError: no good: c-raise.png", "annotator", 1),
    ]


def test_small_copies_are_made_again_for_a_resumed_annotator(tmp_path: Path) -> None:
    run, fragment = collected(tmp_path, ["a.png", "b.png", "c.png"])
    start = FragmentWork(fragment)
    looked = PixelWorker(run, [Eyes()], [Thumb()], LIMITS, GUARD)(start)
    ModelWorker(run, Thumb(), ["eyes"], True, GUARD)(looked)
    first = run.scores("thumb", fragment.name).read_bytes()
    run.scores("thumb", fragment.name).unlink()
    eyes = run.scores("eyes", fragment.name).stat().st_mtime_ns
    again = PixelWorker(run, [Eyes()], [Thumb()], LIMITS, GUARD)(start)  # as after a kill between the two
    ModelWorker(run, Thumb(), ["eyes"], True, GUARD)(again)
    assert run.scores("thumb", fragment.name).read_bytes() == first
    assert run.scores("eyes", fragment.name).stat().st_mtime_ns == eyes
    assert PixelWorker(run, [Eyes()], [Thumb()], LIMITS, GUARD)(start) == start


def test_a_decode_failure_is_told_even_without_an_annotator_of_pixels(tmp_path: Path) -> None:
    run, fragment = collected(tmp_path, ["a.png", "b.png"])
    samples = pl.read_parquet(run.samples(fragment.name))
    assert samples["uri"].to_list() == ["a.png", "b.png"]
    work = PixelWorker(run, [], [Thumb()], Limits(max_pixels=1), GUARD)(FragmentWork(fragment))
    ModelWorker(run, Thumb(), [], True, GUARD)(work)
    assert write_failures(run, fragment.name, ["thumb"]) == 2
    assert table(run.path, "failures")["step"].to_list() == ["decode", "decode"]


def test_an_annotator_that_fails_on_everything_stops_the_run(tmp_path: Path) -> None:
    run, fragment = collected(tmp_path, [f"{i}.png" for i in range(HOPELESS)])
    with pytest.raises(RunFailed, match="annotator always failed on all 8 pictures of photos-00000: OSError: no weigh"):
        ModelWorker(run, Always(), [], True, GUARD)(FragmentWork(fragment))
    assert not run.scores("always", fragment.name).exists()


class Loose(Always):
    """Gives what it did not declare, or what does not fit."""

    name = "loose"
    columns = (schema.Column("share", pa.float32(), "a share"),)

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        return [self.row for _ in pictures]


@pytest.mark.parametrize(("row", "said"), [({"shares": 1.0}, "not in the schema: shares"), ({"share": "much"}, "much")])
def test_values_that_do_not_fit_their_columns_stop_the_run(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    run, fragment = collected(tmp_path, ["a.png"])
    with pytest.raises(RunFailed, match=f"annotator loose: what it gave for photos-00000 does not fit .*{said}"):
        ModelWorker(run, Loose(row), [], True, GUARD)(FragmentWork(fragment))
    assert not run.scores("loose", fragment.name).exists()


class Vectors(Always):
    """Keeps something large aside."""

    name = "vectors"
    columns = (schema.Column("share", pa.float32(), "a share"),)
    aside = (schema.EMBEDDING,)

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        vector = np.arange(1280, dtype=np.float16)
        return [{"share": 0.5, "embedding": vector} for _ in pictures]

    def applies_to(self, row: Mapping[str, Any]) -> bool:
        return row["uri"] != "b.png"


def test_what_is_kept_aside_lies_in_a_file_that_decisions_do_not_read(tmp_path: Path) -> None:
    run, fragment = collected(tmp_path, ["a.png", "b.png"])
    ModelWorker(run, Vectors(), [], True, GUARD)(FragmentWork(fragment))
    write_failures(run, fragment.name, ["vectors"])
    assert table(run.path, "scores/vectors").columns == ["id", "share", "vectors_state"]
    assert "embedding" not in sample_table(run).columns
    (part,) = embeddings(run, "vectors")
    assert (part.fragment, part.ids) == (fragment.name, table(run.path, "samples")["id"].to_list()[:1])
    assert np.array_equal(part.vectors, [np.arange(1280, dtype=np.float16)])


def test_failures_are_told_anew_when_an_annotator_is_added(tmp_path: Path) -> None:
    run, fragment = collected(tmp_path, ["a.png", "b-raise.png"])
    PixelWorker(run, [Eyes()], [], LIMITS, GUARD)(FragmentWork(fragment))
    assert write_failures(run, fragment.name, ["eyes"]) == 0
    ModelWorker(run, Saboteur(), ["eyes"], True, GUARD)(FragmentWork(fragment))
    assert write_failures(run, fragment.name, ["eyes", "saboteur"]) == 1


def test_a_share_of_a_gpu_is_asked_of_the_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    annotator = Thumb()
    annotator.gpus = 0.25
    pools = steps(RunFolder(tmp_path), [Eyes(), annotator], LIMITS, GUARD)
    assert [(step.name, step.gpus) for step in pools] == [("decode", 0.0), ("thumb", 0.25)]
    monkeypatch.setattr("ray.cluster_resources", lambda: {"CPU": 2.0, "GPU": 1.0})
    cluster._check_gpus(pools)
    monkeypatch.setattr("ray.cluster_resources", lambda: {"CPU": 2.0})
    with pytest.raises(UserError, match=r"thumb wants 0\.25 of a GPU, and the cluster has none"):
        cluster._check_gpus(pools)
