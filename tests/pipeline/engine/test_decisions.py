"""Decisions of whole runs, without Ray: what rows do to each other, and what a later command may not change."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from configs import RunFailed, UserError
from pipeline.annotators.classify import ClassifyAnnotator
from pipeline.annotators.codes import CodesAnnotator
from pipeline.annotators.measure import MeasureAnnotator
from pipeline.annotators.provenance import ProvenanceAnnotator
from pipeline.config import load_config, load_run_config
from pipeline.dataset import Dataset
from pipeline.engine import annotate
from pipeline.engine.redecide import decide_again
from pipeline.engine.remove import remove_rows
from pipeline.engine.run import run_pipeline
from tests.pipeline.captioner.server import serving
from tests.pipeline.inline import work_inline


@pytest.fixture(autouse=True)
def _inline(monkeypatch: pytest.MonkeyPatch) -> None:
    work_inline(monkeypatch)


def pictures(folder: Path, *seeds: int, **options: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name, seed in enumerate(seeds):
        pixels = np.random.default_rng(seed).integers(0, 255, (96, 96, 3), np.uint8)
        Image.fromarray(pixels).resize((192, 192)).save(folder / f"{name}.png", **options)
        (folder / f"{name}.txt").write_text("a cloth of many colors")
    return folder


def run(
    folder: Path,
    sources: list[dict[str, Any]],
    kinds: Sequence[str | dict[str, Any]] = ("measure",),
    decontaminate: dict[str, Any] | None = None,
    **decide: Any,
) -> list[dict]:
    path = folder / "config.yaml"
    entries = [kind if isinstance(kind, dict) else {"kind": kind} for kind in kinds]
    sources = [{"kind": "folder", "captions": ".txt", **source} for source in sources]
    config = {"sources": sources, "annotate": entries, "decide": {"rules": [], **decide}}
    path.write_text(yaml.safe_dump(config | {"decontaminate": decontaminate or {}}))
    run_pipeline(load_config(path), folder / "run")
    return pq.read_table(folder / "run/decisions/decisions.parquet").to_pylist()


def packed(folder: Path) -> set[str]:
    return set(pq.read_table(folder / "run/dataset/manifest", columns=["id"])["id"].to_pylist())


def shards(folder: Path, column: str) -> list[Any]:
    return pq.read_table(folder / "run/dataset/data", columns=[column])[column].to_pylist()


def dataset_key(folder: Path) -> str:
    return str(Dataset.open(folder / "run/dataset").about["key"])


def test_a_copy_of_what_was_taken_down_stays_a_copy(tmp_path: Path) -> None:
    """Also when an annotator joins, which finds no bytes of the removed row."""
    sources = [{"name": "a", "path": str(pictures(tmp_path / "in", 1, 1, 2))}]
    (copy,) = [row for row in run(tmp_path, sources) if row["duplicate_of"]]
    (tmp_path / "ids").write_text(copy["duplicate_of"])
    remove_rows(tmp_path / "run", "ids", tmp_path / "ids")
    assert len(packed(tmp_path)) == 1
    assert copy["id"] not in packed(tmp_path)
    after = run(tmp_path, sources, ("measure", "codes"))
    assert [row["id"] for row in after if row["duplicate_of"]] == [copy["id"]]
    assert copy["id"] not in packed(tmp_path)


def test_a_picture_that_may_be_trained_on_is_no_copy_of_one_that_may_not(tmp_path: Path) -> None:
    longer = {"name": "a", "path": str(pictures(tmp_path / "a", 1, compress_level=0)), "license": "unknown"}
    free = {"name": "b", "path": str(pictures(tmp_path / "b", 1, compress_level=9)), "license": "CC0-1.0"}
    rows = run(tmp_path, [longer, free], licenses=["CC0-1.0"])
    assert sorted((row["stopped_by"] or "") for row in rows) == ["", "S1.license"]
    assert len(packed(tmp_path)) == 1


@pytest.mark.parametrize(
    "condition",
    [
        "source == 'a'",
        "license in ('unknown', 'CC0-1.0')",
        "category is null",
        "recipe is null",
        "text_language != 'zh'",
        "caption_languages == 'en'",
        "subset == 'general'",
        "watermark is null",
        "leaf_rank is null",
    ],
)
def test_rules_of_the_last_stage_may_use_columns_of_all_kinds(condition: str, tmp_path: Path) -> None:
    sources = [{"name": "a", "path": str(pictures(tmp_path / "in", 1, 2))}]
    known = {"name": "S7.known", "stage": 7, "keep": condition, "if_null": "pass"}
    small = {"name": "S7.small", "stage": 7, "keep": "width < 10", "applies_to": condition}
    rows = run(tmp_path, sources, rules=[known, small])
    judged = condition != "text_language != 'zh'"  # which is null without a reader: nothing that it applies to
    assert {row["stopped_by"] for row in rows} == {"S7.small" if judged else None}
    assert {row["stage_to"] for row in rows} == {6 if judged else 7}


def test_a_failure_stays_one_where_its_annotator_cannot_run_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, pictures: list[Any]) -> list[dict[str, Any]]:
        raise ValueError("as if broken")

    sources = [{"name": "a", "path": str(pictures(tmp_path / "in", 1, 2))}]
    monkeypatch.setattr(ProvenanceAnnotator, "annotate", broken)
    assert run(tmp_path, sources, ("measure", "provenance")) == []
    monkeypatch.setattr(ProvenanceAnnotator, "missing", lambda self: "the package is not installed")
    assert run(tmp_path, sources, ("measure", "provenance")) == []


def test_scores_of_another_definition_are_decided_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the error over another version advises: delete the scores, run again."""
    sources = [{"name": "a", "path": str(pictures(tmp_path / "in", 1, 2))}]
    sharp = {"name": "S2.clarity", "stage": 2, "keep": "clarity >= 0"}
    assert {row["stopped_by"] for row in run(tmp_path, sources, rules=[sharp])} == {None}
    measured = MeasureAnnotator.annotate

    def another(self: MeasureAnnotator, pictures: list[Any]) -> list[dict[str, Any]]:
        return [{**row, "clarity": -5.0} for row in measured(self, pictures)]

    monkeypatch.setattr(MeasureAnnotator, "annotate", another)
    monkeypatch.setattr(MeasureAnnotator, "version", "another")
    with pytest.raises(UserError, match="scores/measure"):
        run(tmp_path, sources, rules=[sharp])
    shutil.rmtree(tmp_path / "run/scores/measure")
    assert {row["stopped_by"] for row in run(tmp_path, sources, rules=[sharp])} == {"S2.clarity"}


def test_scores_that_changed_reach_the_shards_whatever_their_version_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [{"name": "a", "path": str(pictures(tmp_path / "in", 1, 2))}]
    run(tmp_path, sources)
    before = shards(tmp_path, "clarity")
    key = dataset_key(tmp_path)
    run(tmp_path, sources)
    assert dataset_key(tmp_path) == key
    measured = MeasureAnnotator.annotate

    def another(self: MeasureAnnotator, pictures: list[Any]) -> list[dict[str, Any]]:
        return [{**row, "clarity": row["clarity"] + 1} for row in measured(self, pictures)]

    monkeypatch.setattr(MeasureAnnotator, "annotate", another)
    shutil.rmtree(tmp_path / "run/scores/measure")
    run(tmp_path, sources)
    assert shards(tmp_path, "clarity") == [value + 1 for value in before]
    assert dataset_key(tmp_path) != key


def test_embeddings_go_with_the_scores_that_were_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [{"name": "a", "path": str(pictures(tmp_path / "in", 1))}]
    run(tmp_path, sources, ("measure", "classify"))
    (path,) = (tmp_path / "run/embeddings/classify").iterdir()
    before = pq.read_table(path)["embedding"].to_pylist()
    classified = ClassifyAnnotator.annotate

    def another(self: ClassifyAnnotator, pictures: list[Any]) -> list[dict[str, Any]]:
        return [{**row, "embedding": -row["embedding"]} for row in classified(self, pictures)]

    monkeypatch.setattr(ClassifyAnnotator, "annotate", another)
    shutil.rmtree(tmp_path / "run/scores/classify")
    run(tmp_path, sources, ("measure", "classify"))
    assert pq.read_table(path)["embedding"].to_pylist() == [[-value for value in row] for row in before]


def test_a_captioner_that_joins_writes_its_captions_into_the_shards(tmp_path: Path) -> None:
    sources = [{"name": "a", "path": str(pictures(tmp_path / "in", 1, 2))}]
    run(tmp_path, sources)
    assert {len(captions) for captions in shards(tmp_path, "captions")} == {1}
    with serving() as server:
        captioner = {"kind": "captioner", "model": "any", "server": server.url, "languages": ["en"]}
        run(tmp_path, sources, ("measure", captioner))
    captions = shards(tmp_path, "captions")
    assert {tuple(c["source"] for c in row) for row in captions} == {("raw", "recaption")}


def test_an_annotator_that_joins_leaves_the_shards_as_they_are(tmp_path: Path) -> None:
    sources = [{"name": "a", "path": str(pictures(tmp_path / "in", 1, 2))}]
    run(tmp_path, sources)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run/dataset/data").iterdir()}
    run(tmp_path, sources, ("measure", "codes"))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run/dataset/data").iterdir()} == before
    assert "codes" in pq.read_schema(next((tmp_path / "run/dataset/manifest").iterdir())).names


def test_an_annotator_that_was_stopped_half_way_is_not_decided_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it cannot run here any more, what it did is all there will be."""
    sources = [{"name": name, "path": str(pictures(tmp_path / name, seed))} for name, seed in (("a", 1), ("b", 2))]
    run(tmp_path, sources)

    def stopped(annotator: Any, *rest: Any) -> None:
        if rest[1].startswith("b") and rest[0].name == "codes":
            raise RunFailed("as if it was ended here")
        commit(annotator, *rest)

    commit = annotate.commit_scores
    monkeypatch.setattr(annotate, "commit_scores", stopped)
    with pytest.raises(RunFailed, match="ended here"):
        run(tmp_path, sources, ("measure", "codes"))
    with pytest.raises(UserError, match=r"1 fragments are not scored by codes yet; .* goes on: .* run CONFIG"):
        decide_again(tmp_path / "run", [])
    monkeypatch.setattr(CodesAnnotator, "missing", lambda self: "the package is not installed")
    run(tmp_path, sources, ("measure", "codes"))
    decide_again(tmp_path / "run", [])


def test_deciding_asks_for_no_file_that_only_scoring_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the files that both need are those that were meant, in whatever folder the command is given."""
    sources = [{"name": "a", "path": str(pictures(tmp_path / "in", 1, 2))}]
    (tmp_path / "key").write_text("secret")
    (tmp_path / "prompts.txt").write_text(
        "a cloth of many colors that no one has ever seen before in this place at all\n"
    )
    monkeypatch.chdir(tmp_path)
    with serving() as server:
        of_server = {"model": "any", "server": server.url, "languages": ["en"], "key_file": "key"}
        captioner = {"kind": "captioner", "required": True, **of_server}
        run(tmp_path, sources, ("measure", captioner), decontaminate={"prompts": ["prompts.txt"]})
    (tmp_path / "key").unlink()
    monkeypatch.chdir("/")
    decide_again(tmp_path / "run", [])
    with pytest.raises(UserError, match=r"field 'annotate\.1\.key_file': '.*/key' is no file"):
        run_pipeline(load_run_config(tmp_path / "run/run.yaml"), tmp_path / "run")
    (tmp_path / "prompts.txt").unlink()
    with pytest.raises(UserError, match=r"'decontaminate\.prompts\.0': '.*/prompts.txt' does not exist; put it back"):
        decide_again(tmp_path / "run", [])
    decide_again(tmp_path / "run", ["decontaminate.prompts=[]"])
