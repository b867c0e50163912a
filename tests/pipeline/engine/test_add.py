"""New sources join a finished run: what it holds stays, byte for byte, and comes first where pictures are the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from configs import UserError
from pipeline.config import load_config
from pipeline.decide import copies
from pipeline.decide.dedup import kept_copies
from pipeline.decide.keys import Keys
from pipeline.engine.add import add_sources
from pipeline.engine.redecide import pack_again
from pipeline.engine.run import run_pipeline
from tests import forked
from tests.pipeline import commands
from tests.pipeline.inline import work_inline

CONFIG = """
sources: [{kind: folder, name: photos, path: HERE/photos}]
fragments: {inputs: 3}
annotate: [{kind: measure}]
cluster: {cpus: 1}
decide: {rules: []}
"""
MORE = "sources: [{kind: folder, name: NAME, path: HERE/NAME}]\n"


def kept(run: Path) -> set[str]:
    return set(pl.read_parquet(run / "dataset" / "manifest" / "*.parquet")["uri"])


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], dict[str, str]]:
    """A folder with a run that has grown, the digests of its files before that, and after."""
    here = tmp_path_factory.mktemp("grown")
    commands.write_pictures(here / "photos", 6)
    commands.write_pictures(here / "more", 9)
    for number in range(6):  # the same pixels in longer files, which would be kept were they of one run
        picture = Image.open(here / "more" / f"{number:03d}.png")
        picture.save(here / "more" / f"{number:03d}.png", compress_level=0)
    (here / "config.yaml").write_text(CONFIG.replace("HERE", str(here)))
    (here / "more.yaml").write_text(MORE.replace("HERE", str(here)).replace("NAME", "more"))
    commands.run_inline("run", here / "config.yaml", here / "run")
    before = commands.digest(here / "run")
    commands.run_inline("add", here / "run", here / "more.yaml")
    return here, before, commands.digest(here / "run")


def test_what_was_kept_stays_and_outranks_its_copies(grown: tuple[Path, dict[str, str], dict[str, str]]) -> None:
    here, before, after = grown
    stays = ("samples", "scores", "ledger", "failures", "dataset/data")
    old = {name: digest for name, digest in before.items() if name.startswith(stays)}
    assert len(old) >= 8
    assert {name: after[name] for name in old} == old
    assert {name for name in after if name.startswith("dataset/data")} > {
        n for n in old if n.startswith("dataset/data")
    }
    manifest = pl.read_parquet(here / "run" / "dataset" / "manifest" / "*.parquet")
    sources = dict(manifest.group_by("source").len().iter_rows())
    assert sources == {"photos": 6, "more": 3}
    decisions = pl.read_parquet(here / "run" / "decisions" / "*.parquet")
    assert decisions["stopped_by"].value_counts().sort("stopped_by").to_dicts()[-1] == {
        "stopped_by": "S1.duplicate",
        "count": 6,
    }


def test_the_same_command_again_and_the_whole_config_change_nothing(
    grown: tuple[Path, dict[str, str], dict[str, str]],
) -> None:
    here, _, after = grown
    assert "more: 9 inputs = 3 kept" in commands.run_inline("add", here / "run", here / "more.yaml")
    whole = CONFIG.replace("sources: [", "sources: [SECOND, ").replace("HERE", str(here))
    first, second = whole.split("SECOND, ")
    entry = "{kind: folder, name: more, path: " + str(here / "more") + "}]"
    (here / "whole.yaml").write_text(first + second.replace("}]\nfragments", "}, " + entry + "\nfragments"))
    commands.run_inline("run", here / "whole.yaml", here / "run")
    commands.run_inline("pack", here / "run")
    assert commands.digest(here / "run") == after


def test_an_addition_looks_for_copies_once_whatever_was_added_before(
    grown: tuple[Path, dict[str, str], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, run = grown[0], tmp_path / "run"
    shutil.copytree(here / "run", run)
    shutil.copytree(here / "more", tmp_path / "last")
    (tmp_path / "last.yaml").write_text(MORE.replace("HERE", str(tmp_path)).replace("NAME", "last"))
    searched = []

    def count(keys: Keys, *rest: Any) -> Any:
        searched.append(keys.count)
        return kept_copies(keys, *rest)

    monkeypatch.setattr(copies, "kept_copies", count)
    work_inline(monkeypatch)
    add_sources(run, tmp_path / "last.yaml", ())
    assert searched == [24]
    assert kept(run) == kept(here / "run")


def test_what_cannot_be_added_is_refused_in_one_line(grown: tuple[Path, dict[str, str], dict[str, str]]) -> None:
    here, _, after = grown
    changed = MORE.replace("HERE/NAME", str(here / "photos")).replace("NAME", "more")
    for text, error in (
        (changed, r"field 'sources\.1\.path': .* was started with '.*more', found '.*photos'"),
        (MORE.replace("HERE", str(here)).replace("NAME", "gone"), r"field 'sources\.2\.path'.*gone"),
        (
            MORE.replace("HERE", str(here)).replace("NAME", "new") + "fragments: {inputs: 4}",
            r"field 'fragments\.inputs': .* started with 3, found 4",
        ),
    ):
        (here / "new").mkdir(exist_ok=True)
        commands.write_pictures(here / "new", 1)
        (here / "wrong.yaml").write_text(text)
        with pytest.raises(UserError, match=error):
            add_sources(here / "run", here / "wrong.yaml", ())
    with pytest.raises(UserError, match=r"there is no run to add to"):
        add_sources(here / "nowhere", here / "more.yaml", ())
    assert commands.digest(here / "run") == after


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, and with what is added to it: a source and an annotator."""
    here = tmp_path_factory.mktemp("begun")
    commands.write_pictures(here / "photos", 2)
    commands.write_pictures(here / "more", 4)
    (here / "config.yaml").write_text(CONFIG.replace("HERE", str(here)))
    annotators = 'annotate: [{kind: measure}, {kind: "tests.pipeline.hooks:EyesConfig"}]\n'
    (here / "more.yaml").write_text(MORE.replace("HERE", str(here)).replace("NAME", "more") + annotators)
    with pytest.MonkeyPatch.context() as patch:
        work_inline(patch)
        run_pipeline(load_config(here / "config.yaml"), here / "run")
    return here


def killed(begun: Path, scratch: Path, *more: str) -> dict[str, object]:
    command = ["tests.pipeline.engine.kills", begun / "run", begun / "more.yaml", scratch, *more]
    done = forked.run(command, "pipeline", timeout=1200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_killed_again_and_again_an_addition_ends_in_the_same_bytes(begun: Path, tmp_path: Path) -> None:
    told = killed(begun, tmp_path)
    assert told["wrong"] == []
    assert told["kills"] >= 10


@pytest.mark.long
def test_killed_before_each_of_its_changes_an_addition_ends_in_the_same_bytes(begun: Path, tmp_path: Path) -> None:
    told = killed(begun, tmp_path, "every")
    assert told["wrong"] == []
    assert told["kills"] >= 40


def test_shards_of_one_dataset_have_the_same_columns(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that are there stay, so what an annotator adds later is in the manifest alone until all are packed anew."""
    work_inline(monkeypatch)
    run = tmp_path / "run"
    shutil.copytree(begun / "run", run)
    before = commands.digest(run)["dataset/data/00000.parquet"]
    add_sources(run, begun / "more.yaml", ())
    assert "eyes_state" in capsys.readouterr().out
    assert commands.digest(run)["dataset/data/00000.parquet"] == before
    shards = pl.read_parquet(sorted((run / "dataset/data").glob("*.parquet")))
    assert (len(shards), "eyes_state" in shards.columns) == (4, False)
    manifest = pl.read_parquet(run / "dataset/manifest/*.parquet")
    assert manifest["eyes_state"].to_list() == ["ok"] * 4
    shutil.rmtree(run / "dataset")
    pack_again(run, ())
    assert set(pl.read_parquet(run / "dataset/data/*.parquet")["eyes_state"]) == {"ok"}
