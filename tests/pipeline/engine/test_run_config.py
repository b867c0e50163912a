"""What a run may change its mind about, and what not; wrong configs end in one line and status 2."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
import yaml

from configs import UserError, load
from pipeline.annotators import Annotator
from pipeline.annotators.measure import MeasureConfig
from pipeline.annotators.nsfw import NsfwConfig
from pipeline.annotators.ocr import OcrConfig
from pipeline.config import PipelineConfig, load_config
from pipeline.engine import run_config
from pipeline.engine.annotate import commit_scores
from pipeline.engine.list_sources import check_sources
from pipeline.engine.run import run_pipeline
from pipeline.store.ledger import FragmentsConfig
from pipeline.store.run_folder import RunFolder
from tests import forked
from tests.pipeline.hooks import Eyes

BASE = "sources:\n- {kind: folder, name: photos, path: PATH}\n"


@pytest.fixture
def config(tmp_path: Path) -> PipelineConfig:
    (tmp_path / "photos").mkdir()
    (tmp_path / "config.yaml").write_text(BASE.replace("PATH", str(tmp_path / "photos")))
    return load(tmp_path / "config.yaml", PipelineConfig)


def test_heavy_fields_are_fixed_by_the_first_command(tmp_path: Path, config: PipelineConfig) -> None:
    run = RunFolder(tmp_path / "run")
    run_config.save_run_config(run, config)
    moved = dataclasses.replace(config.sources[0], path="/elsewhere")
    with pytest.raises(UserError, match=r"field 'sources.0.path': .* was started with '.*photos', found '/elsewhere'"):
        run_config.save_run_config(run, dataclasses.replace(config, sources=(moved,)))
    with pytest.raises(UserError, match=r"field 'fragments.inputs': .* started with 256, found 3.* new RUN folder"):
        run_config.save_run_config(run, dataclasses.replace(config, fragments=FragmentsConfig(inputs=3)))
    assert load(run.config, PipelineConfig) == config


def test_annotators_may_be_added_but_not_taken_away(tmp_path: Path, config: PipelineConfig) -> None:
    run = RunFolder(tmp_path / "run")
    fewer = dataclasses.replace(config, annotate=(MeasureConfig("measure"),))
    run_config.save_run_config(run, fewer)
    more = dataclasses.replace(config, annotate=(NsfwConfig("nsfw", required=True), MeasureConfig("measure")))
    run_config.save_run_config(run, more)
    with pytest.raises(UserError, match=r"field 'annotate': .*started with \{'kind': 'nsfw'"):
        run_config.save_run_config(run, fewer)
    other = dataclasses.replace(config, annotate=(NsfwConfig("nsfw"), MeasureConfig("measure", reference_edge=256)))
    with pytest.raises(UserError, match=r"field 'annotate.1.reference_edge': .* started with 512, found 256"):
        run_config.save_run_config(run, other)


def test_a_run_that_wrote_the_old_form_of_annotate_goes_on(tmp_path: Path, config: PipelineConfig) -> None:
    run = RunFolder(tmp_path / "run")
    run_config.save_run_config(run, config)
    plain = yaml.safe_load(run.config.read_text())
    before = {"run": ["nsfw", "measure"], "require": [], "measure": {"reference_edge": 512}, "nsfw": {"threads": 1}}
    run.config.write_text(yaml.safe_dump(plain | {"annotate": before, "plugins": []}))
    run_config.save_run_config(run, config)
    assert load(run.config, PipelineConfig) == config
    run.config.write_text(yaml.safe_dump(plain | {"annotate": before | {"nsfw": {"threads": 2}}, "plugins": []}))
    with pytest.raises(UserError, match=r"field 'annotate.1.threads': .* started with 2, found 1"):
        run_config.save_run_config(run, config)


def test_settings_reach_annotators_that_run_by_default(tmp_path: Path, config: PipelineConfig) -> None:
    changed = load_config(tmp_path / "config.yaml", ["annotate.2.min_score=0.9"])
    assert changed.annotate == (*config.annotate[:2], OcrConfig("ocr", min_score=0.9))


def test_the_rest_may_change(tmp_path: Path, config: PipelineConfig) -> None:
    run = RunFolder(tmp_path / "run")
    run_config.save_run_config(run, config)
    changed = dataclasses.replace(config, seed=7)
    run_config.save_run_config(run, changed)
    assert load(run.config, PipelineConfig) == changed


def test_scores_of_another_version_are_not_mixed(tmp_path: Path) -> None:
    class Newer(Eyes):
        version = "2"

    run = RunFolder(tmp_path)
    commit_scores(run, Eyes(), "photos-00000", [], [], [])
    run_config.check_versions(run, [Eyes()])
    newer: Annotator = Newer()
    with pytest.raises(UserError, match=r"annotator eyes: .*version 1, this installation computes version 2"):
        run_config.check_versions(run, [newer])


def test_relative_paths_are_refused_inside_a_ray_job(monkeypatch: pytest.MonkeyPatch, config: PipelineConfig) -> None:
    relative = dataclasses.replace(config, sources=(dataclasses.replace(config.sources[0], path="photos"),))
    assert run_config.resolve(relative).sources[0].path == os.path.abspath("photos")  # type: ignore[union-attr]
    monkeypatch.setattr(run_config, "in_job", lambda: True)
    with pytest.raises(UserError, match=r"field 'sources.0.path' 'photos': inside a Ray job .* absolute path or a URL"):
        run_config.resolve(relative)
    with pytest.raises(UserError, match=r"RUN 'runs/x': inside a Ray job .* absolute path or a URL"):
        run_config.run_folder(Path("runs/x"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BASE + "fragments: {input: 3}\n", "unknown field 'fragments.input'; did you mean inputs?"),
        (
            BASE + "annotate: [{kind: 'tests.pipeline.hooks:Nobody'}]\n",
            "annotate.0: kind 'tests.pipeline.hooks:Nobody'",
        ),
        (BASE + "annotate: [{kind: 'tests.pipeline.hooks:Eyes'}]\n", "is no dataclass derived from"),
        (BASE + "annotate: [{kind: 'tests.pipeline.hooks:NobodyConfig'}]\n", "field 'annotate.0': "),
        (BASE + "annotate: [{kind: 'tests.pipeline.hooks:NobodyConfig'}]\n", "which is no annotator"),
        (
            BASE + "annotate: [{kind: measure}, {kind: 'tests.pipeline.hooks:ThumbConfig'}]\n",
            "field 'annotate.1': thumb fills the column 'texture', which measure fills as well",
        ),
        (
            BASE + "annotate: {run: [ocr], require: [ocr], ocr: {min_score: 0.5}}\n",
            "field 'annotate': annotate is a list now; write annotate: [{kind: ocr, required: true, min_score: 0.5}]",
        ),
        (
            BASE + "annotate: {run: [measure]}\nplugins: ['my.redness:Redness']\n",
            "annotate: [{kind: measure}, {kind: 'my.redness:RednessConfig'}]",
        ),
        (BASE, "field 'sources.0.path': expected a folder of pictures; '/nowhere' does not exist"),
        ("sources: []\n", "field 'sources': expected at least one source"),
        (BASE.replace("photos", "a/b"), "field 'sources.0.name': letters, digits"),
        (
            BASE.replace("PATH", "configs") + "decide: {rules: [{name: S1.x, stage: 1, keep: clarty > 1}]}\n",
            "did you mean clarity",
        ),
        ("sources:\n- {kind: synth, name: g, recipe: /nowhere.yaml, count: 3}\n", "field 'sources.0.recipe'"),
    ],
)
def test_a_wrong_config_is_one_line_and_status_2(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config.yaml").write_text(text.replace("PATH", "/nowhere"))
    for name in ("run", "plan"):
        done = forked.run(["pipeline", name, tmp_path / "config.yaml", tmp_path / "run"])
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert words in done.stderr
        assert not (tmp_path / "run").exists()


def test_a_run_inside_its_own_pictures_is_refused(tmp_path: Path, config: PipelineConfig) -> None:
    for inside in ("photos", "photos/a/run"):
        with pytest.raises(UserError, match=r"lies inside the pictures of 'sources.0.path'.* name a folder outside"):
            run_pipeline(config, tmp_path / inside)
        assert list((tmp_path / "photos").iterdir()) == []
    check_sources(RunFolder(tmp_path / "photos" / ".hidden" / "run"), config.sources)  # ignored names are no inputs
    check_sources(RunFolder(tmp_path / "photos2"), config.sources)


def test_a_folder_that_cannot_be_made_is_named(config: PipelineConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="file/run: cannot be made: "):
        run_pipeline(config, tmp_path / "file" / "run")


def test_a_url_in_no_store_is_no_folder_of_a_run() -> None:
    with pytest.raises(UserError, match="'hf://bucket/run': expected a local path, or a URL that begins with s3://"):
        run_config.run_folder(Path("hf://bucket/run"))
