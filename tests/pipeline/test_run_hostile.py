"""A folder of everything that goes wrong, and pictures that crash, hang or eat memory: all accounted for."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from pipeline.dataset import Dataset
from pipeline.decode import Limits, decode
from pipeline.sources.folder import path_of
from tests.pipeline import commands, hostile

SABOTEURS = {
    b"sigsegv.png": ("saboteur", "crashed: SIGSEGV"),
    b"hang.png": ("saboteur", "did not end within 4 s"),
    b"eat.png": ("saboteur", "used more memory than guard.memory_mb allows"),
    b"raise.png": ("saboteur", "ValueError: no good: raise.png"),
    b"crash-pixels.png": ("decode", "crashed: SIGSEGV"),
}
PLUGINS = 'plugins=["tests.pipeline.hooks:Eyes", "tests.pipeline.hooks:Saboteur"]'


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
    settings = [f"sources.0.path={folder}", "fragments.inputs=16", "cluster.cpus=2", PLUGINS]
    settings += ["guard={seconds: 4, memory_mb: 600, retries: 0}", "annotate.run=[measure, nsfw]"]
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
