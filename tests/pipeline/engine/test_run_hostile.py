"""A folder of everything that goes wrong, and pictures that crash, hang or eat memory: all accounted for."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from configs import UserError, load
from configs.pictures import Limits, decode
from pipeline.config import PipelineConfig
from pipeline.dataset import Dataset
from pipeline.engine.plan import plan
from pipeline.engine.redecide import decide_again
from pipeline.sources.files import path_of
from tests.pipeline import commands, hostile

SABOTEURS = {
    b"sigsegv.png": ("saboteur", "crashed: SIGSEGV"),
    b"hang.png": ("saboteur", "did not end within 8 s"),
    b"eat.png": ("saboteur", "used more memory than guard.memory_mb allows"),
    b"raise.png": ("saboteur", "ValueError: no good: raise.png"),
    b"crash-pixels.png": ("decode", "crashed: SIGSEGV"),
}
ANNOTATE = (
    "annotate=[{kind: measure}, {kind: nsfw}, "
    "{kind: 'tests.pipeline.hooks:EyesConfig'}, {kind: 'tests.pipeline.hooks:SaboteurConfig'}]"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "pictures"


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[bytes, hostile.Expectation]:
    found = hostile.build(folder)
    for index, name in enumerate(SABOTEURS):
        (folder / name.decode()).write_bytes(hostile.encode(hostile.picture(300, 300, 90 + index), "PNG"))
        found[name] = hostile.Broken()
    return found


@pytest.fixture(scope="module")
def run(folder: Path, expected: dict[bytes, hostile.Expectation]) -> tuple[Path, str]:
    """The run by the shipped config, and what it printed."""
    path = folder.parent / "run"
    settings = [f"sources.0.path={folder}", "fragments.inputs=16", "cluster.small=1000", ANNOTATE]
    settings += ["guard={seconds: 8, memory_mb: 600, retries: 0}"]
    settings += ["decide.rules=[{name: S2.rotation, stage: 2, keep: orientation == 1}]"]
    more = [part for setting in settings for part in ("--set", setting)]
    return path, commands.run_to_end(Path("configs/pipeline/folder.yaml"), path, *more)


def test_every_input_has_its_end(run: tuple[Path, str], expected: dict[bytes, hostile.Expectation]) -> None:
    path, output = run
    failures = commands.table(path, "failures")
    broken = {name for name, expectation in expected.items() if isinstance(expectation, hostile.Broken)}
    assert {path_of(uri) for uri in failures["uri"]} == broken
    assert failures["id"].n_unique() == len(failures)
    assert failures.filter(pl.col("error").str.len_chars() < 5).is_empty()
    decided = pl.read_parquet(path / "decisions" / "decisions.parquet")
    assert len(decided) + len(failures) == len(expected)
    assert f"{len(expected)} inputs = {len(decided)} kept + 0 stopped + {len(broken)} failed" in output


def test_each_misdeed_is_one_row_with_its_reason(run: tuple[Path, str]) -> None:
    rows = commands.table(run[0], "failures").rows_by_key("uri", named=True, unique=True)
    assert {name: (rows[name.decode()]["step"], rows[name.decode()]["error"]) for name in SABOTEURS} == SABOTEURS
    assert "truncated" in rows["truncated.jpg"]["error"]
    assert re.search("pixels", rows["bomb.png"]["error"])


def test_size_and_orientation_are_those_of_the_upright_picture(
    run: tuple[Path, str], expected: dict[bytes, hostile.Expectation]
) -> None:
    dataset = Dataset.open(run[0] / "dataset")
    rows = {row["uri"]: row for row in dataset.read(range(dataset.rows))}
    readable = {n: e for n, e in expected.items() if isinstance(e, hostile.Readable)}
    assert {path_of(uri) for uri in rows} == set(readable)
    for uri, row in rows.items():
        expectation = readable[path_of(uri)]
        assert (row["width"], row["height"], row["orientation"]) == (
            expectation.width,
            expectation.height,
            expectation.orientation,
        )
        assert decode(row["image"]["bytes"], Limits()).shape == (row["height"], row["width"], 3)
        assert (row["measure_state"], row["nsfw_state"], row["saboteur_state"]) == ("ok", "ok", "ok")
        assert 0 < row["luma"] < 1


def test_turned_pictures_are_stopped_by_the_rule_and_say_so(run: tuple[Path, str]) -> None:
    manifest = pl.read_parquet(run[0] / "dataset" / "manifest" / "*.parquet")
    turned = manifest.filter(pl.col("orientation") > 1)
    assert turned["stopped_by"].unique().to_list() == ["S2.rotation"]
    assert turned["stage_to"].unique().to_list() == [1]
    assert len(turned) == 7


def test_a_dry_run_shows_changes_and_makes_none(run: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    before = commands.digest(run[0])
    decide_again(run[0], ["decide.rules.0.keep=orientation <= 2", "decide.rules.0.stage=2"], dry_run=True)
    told = capsys.readouterr().out
    assert "1  up to S7 (now stopped by S2.rotation); for example orientation-2.jpg" in told
    page = (run[0] / "changes.html").read_text()
    assert "orientation-2.jpg" in page.split("Would come")[1]
    assert "Would go" not in page
    assert "data:image/webp;base64," in page
    assert commands.digest(run[0]) == before
    config = (run[0] / "run.yaml").read_text()
    assert "orientation == 1" in config
    with pytest.raises(UserError, match=r"field 'sources.0.license'.*new RUN folder"):
        decide_again(run[0], ["sources.0.license=CC0-1.0"])
    assert (run[0] / "run.yaml").read_text() == config


def test_the_plan_tells_what_is_done(run: tuple[Path, str]) -> None:
    config = load(run[0] / "run.yaml", PipelineConfig)
    told = plan(config, run[0]).splitlines()
    inputs = sum(1 for line in told if line.split()[1:4] == ["27", "of", "27"])
    assert inputs == len(["collect", "measure", "nsfw", "eyes", "saboteur"])
    assert all("0 fragments left" in line for line in told if " of 27 inputs done" in line)
    fresh = plan(config, None).splitlines()
    assert any(line.split()[:4] == ["collect", "0", "of", "27"] for line in fresh)
