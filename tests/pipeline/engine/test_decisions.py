"""Decisions of whole runs, without Ray: what rows do to each other, and what a later command may not change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from configs import UserError
from pipeline.annotators.measure import MeasureAnnotator
from pipeline.annotators.provenance import ProvenanceAnnotator
from pipeline.config import load_config
from pipeline.engine.remove import remove_rows
from pipeline.engine.run import run_pipeline
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
    folder: Path, sources: list[dict[str, Any]], kinds: tuple[str, ...] = ("measure",), **decide: Any
) -> list[dict]:
    path = folder / "config.yaml"
    annotate = [{"kind": kind} for kind in kinds]
    sources = [{"kind": "folder", "captions": ".txt", **source} for source in sources]
    path.write_text(yaml.safe_dump({"sources": sources, "annotate": annotate, "decide": {"rules": [], **decide}}))
    run_pipeline(load_config(path), folder / "run")
    return pq.read_table(folder / "run/decisions/decisions.parquet").to_pylist()


def packed(folder: Path) -> set[str]:
    return set(pq.read_table(folder / "run/dataset/manifest", columns=["id"])["id"].to_pylist())


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
    annotate = MeasureAnnotator.annotate

    def another(self: MeasureAnnotator, pictures: list[Any]) -> list[dict[str, Any]]:
        return [{**row, "clarity": -5.0} for row in annotate(self, pictures)]

    monkeypatch.setattr(MeasureAnnotator, "annotate", another)
    monkeypatch.setattr(MeasureAnnotator, "version", "another")
    with pytest.raises(UserError, match="scores/measure"):
        run(tmp_path, sources, rules=[sharp])
    shutil.rmtree(tmp_path / "run/scores/measure")
    assert {row["stopped_by"] for row in run(tmp_path, sources, rules=[sharp])} == {"S2.clarity"}
