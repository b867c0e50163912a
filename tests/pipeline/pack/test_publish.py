"""dataset/: what is packed, where it lies, what new thresholds do to it, and that a kill leaves nothing half."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

import pipeline
from configs import RunFailed, UserError, load
from configs.pictures import Limits, decode
from pipeline import schema
from pipeline.config import PipelineConfig
from pipeline.dataset import Dataset
from pipeline.decide import accounting
from pipeline.decide.run import decide_run, decisions_key
from pipeline.pack import publish
from pipeline.store.run_folder import RunFolder
from tests.pipeline.inline import work_inline


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """How work is spread is not what these are about."""
    work_inline(monkeypatch)


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> RunFolder:
    """A copy that a test may change."""
    return RunFolder(Path(shutil.copytree(small_run, tmp_path / "run")))


def config(run: RunFolder, *overrides: str) -> PipelineConfig:
    return load(run.config, PipelineConfig, overrides)


def test_every_input_is_kept_stopped_or_failed(small_run: Path) -> None:
    total = accounting.total(accounting.account(RunFolder(small_run)))
    assert total.inputs == 132
    assert total.kept + total.stopped + total.failed == 132
    assert total.failed == 1
    assert Dataset.open(small_run / "dataset").rows == total.kept


def test_a_lost_input_is_noticed(run: RunFolder) -> None:
    path = run.decisions / "decisions.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(RunFailed, match="neither in decisions/ nor in failures/"):
        accounting.account(run)


def test_manifest_and_shards_hold_the_same_rows_one_stratum_a_group(small_run: Path) -> None:
    dataset = Dataset.open(small_run / "dataset")
    manifest = pl.from_arrow(dataset.manifest())
    assert isinstance(manifest, pl.DataFrame)
    assert set(schema.MANIFEST) <= set(manifest.columns)
    samples = dataset.read(np.arange(dataset.rows))
    assert [s["id"] for s in samples] == manifest["id"].to_list()
    for sample, width, height in zip(samples, manifest["width"], manifest["height"], strict=True):
        assert decode(sample["image"]["bytes"], Limits()).shape == (height, width, 3)
    assert manifest.filter(pl.col("recipe") == "glyphs")["text"].null_count() == 0
    groups = manifest.with_columns(made=pl.col("recipe").is_not_null()).group_by("shard", "row_group")
    for column in ("made", "text_level", "stage_to", "task"):
        assert groups.agg(pl.col(column).n_unique())[column].max() == 1
    assert groups.len()["len"].max() <= 32


def test_rows_are_read_in_the_order_asked_for_and_by_expression(small_run: Path) -> None:
    dataset = Dataset.open(small_run / "dataset")
    ids = dataset.manifest(["id"])["id"].to_pylist()
    wanted = [5, 100, 5, 0, dataset.rows - 1]
    assert [s["id"] for s in dataset.read(wanted, ["id"])] == [ids[i] for i in wanted]
    with pytest.raises(IndexError):
        dataset.read([dataset.rows])
    texts = dataset.manifest(["text"], where="recipe == 'glyphs' and text_chars == 1")["text"].to_pylist()
    assert texts
    assert all(len(text) == 1 for text in texts)
    with pytest.raises(UserError, match="did you mean"):
        dataset.manifest(where="text_levl > 1")


def test_polars_and_the_datasets_library_read_the_same_files(small_run: Path, tmp_path: Path) -> None:
    import datasets

    dataset = small_run / "dataset"
    frame = pl.scan_parquet(dataset / "manifest" / "*.parquet").collect()
    assert pipeline.scan(dataset).select(pl.len()).collect().item() == len(frame)
    bytes_ = (
        pl.scan_parquet(dataset / "data" / "*.parquet").select("id", pl.col("image").struct.field("bytes")).collect()
    )
    assert bytes_["id"].to_list() == frame["id"].to_list()
    loaded = datasets.load_dataset(str(dataset), split="train", cache_dir=str(tmp_path))
    assert len(loaded) == len(frame)
    for row in (0, len(frame) - 1):
        assert loaded[row]["image"].size == (frame["width"][row], frame["height"][row])


def test_captions_are_judged_and_counted(small_run: Path) -> None:
    dataset = Dataset.open(small_run / "dataset")
    photos = dataset.manifest(["n_captions"], where="recipe is null")["n_captions"].to_pylist()
    assert sorted(set(photos)) in ([0, 1], [1])
    samples = dataset.read(np.arange(dataset.rows), ["captions"])
    verdicts = [c["invalid"] for s in samples for c in s["captions"] if "Sorry" in c["text"]]
    assert set(verdicts) <= {"S3.invalid"}


def test_repeats_average_one_in_every_cell(small_run: Path) -> None:
    cells = pipeline.scan(small_run / "dataset").group_by("task", "text_language", "text_level")
    means = cells.agg(pl.col("repeats").mean()).collect()["repeats"]
    assert means.to_numpy() == pytest.approx(np.ones(len(means)), abs=1e-5)


def test_publishing_again_changes_nothing(run: RunFolder) -> None:
    before = {p: p.stat().st_mtime_ns for p in run.dataset.rglob("*") if p.is_file()}
    publish.publish(run, config(run))
    assert {p: p.stat().st_mtime_ns for p in run.dataset.rglob("*") if p.is_file()} == before


def test_stricter_thresholds_make_a_new_manifest_over_the_same_shards(run: RunFolder) -> None:
    shards = {p.name: p.stat().st_ino for p in (run.dataset / "data").iterdir()}
    rows, digest = Dataset.open(run.dataset).rows, Dataset.open(run.dataset).digest
    stricter = config(run, "decide.rules.0.keep=luma < 0.0")
    publish.redecide(run, stricter)
    dataset = Dataset.open(run.dataset)
    assert {p.name: p.stat().st_ino for p in (run.dataset / "data").iterdir()} == shards
    assert dataset.rows == rows  # they fail at S2: still good for S1
    assert dataset.manifest(where="recipe is null and stage_to > 1").num_rows == 0
    assert dataset.digest != digest
    publish.redecide(run, config(run))
    assert Dataset.open(run.dataset).digest == digest


def test_looser_thresholds_ask_for_new_shards(run: RunFolder) -> None:
    stricter = config(run, "decide.rules.0.keep=luma < 0.0", "decide.rules.0.stage=1", "decide.rules.0.name=S1.luma")
    digest = publish.publish(run, stricter).digest
    with pytest.raises(UserError, match=r"shards lack \d+ of .*python -m pipeline pack"):
        publish.redecide(run, config(run))
    assert Dataset.open(run.dataset).digest == digest
    assert publish.publish(run, config(run)).digest != digest


def test_a_kill_while_packing_leaves_no_dataset_that_looks_whole(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = Dataset.open(run.dataset).digest
    changed = config(run, "pack.rows=40")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publish, "write_manifests", killed)
    decisions = decide_run(run, changed)
    key = decisions_key(run, changed)
    publish.pack(run, changed, publish.plan_shards(decisions.kept, changed.pack), key, decisions.compacted)
    with pytest.raises(KeyboardInterrupt):
        publish.index(run, changed, decisions, key)
    with pytest.raises(UserError, match="unfinished"):
        Dataset.open(run.dataset)
    monkeypatch.undo()
    assert publish.publish(run, config(run)).digest == digest


@pytest.mark.parametrize("part", ["data", "manifest"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_dataset_is_told_and_made_again(run: RunFolder, part: str, damage: str) -> None:
    digest = Dataset.open(run.dataset).digest
    path = next((run.dataset / part).iterdir())
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=f"{part}/{path.name} (is missing|has .* were written); run the command"):
        Dataset.open(run.dataset)
    assert publish.publish(run, config(run)).digest == digest


@pytest.mark.parametrize("folder", ["samples", "scores/measure", "failures", "ledger"])
def test_a_damaged_file_of_a_run_is_named(run: RunFolder, folder: str) -> None:
    path = next((run.path / folder).rglob("*.parquet"))
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(RunFailed, match=f"{path.name} is damaged: .*; delete what is left of it"):
        publish.redecide(run, config(run, "decide.rules.0.keep=luma < 0.5"))


def test_other_settings_of_packing_make_the_dataset_that_a_run_with_them_makes(run: RunFolder) -> None:
    before = Dataset.open(run.dataset).digest
    other = publish.publish(run, config(run, "pack.rows=40")).digest
    assert other != before
    shutil.rmtree(run.dataset)
    assert publish.publish(run, config(run, "pack.rows=40")).digest == other
    publish.redecide(run, config(run))  # a new manifest over the shards of 40 rows
    assert publish.publish(run, config(run)).digest == before


def test_a_newer_major_version_is_refused(run: RunFolder) -> None:
    path = run.dataset / "dataset.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"schema_version": "9.0"}))
    with pytest.raises(UserError, match=r"schema version 9\.0.*upgrade"):
        Dataset.open(run.dataset)


def test_everything_stopped_is_an_empty_dataset(run: RunFolder) -> None:
    rule = "decide.rules=[{name: S1.none, stage: 1, keep: width < 0}]"
    dataset = publish.publish(run, config(run, rule))
    assert dataset.rows == 0
    with pytest.raises(UserError, match="holds no samples"):
        dataset.manifest()
