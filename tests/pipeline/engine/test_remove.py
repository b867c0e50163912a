"""A takedown: the rows that a list names and all that was made of them are gone for good, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from configs import UserError
from pipeline.config import load_run_config
from pipeline.engine import erase
from pipeline.engine.redecide import decide_again, pack_again
from pipeline.engine.remove import remove_rows
from pipeline.report.build import write_report
from pipeline.store.removed import Asked, normal
from pipeline.store.run_folder import RunFolder
from tests.pipeline import commands
from tests.pipeline.hostile import encode, picture
from tests.pipeline.inline import work_inline

SCENES = Path(__file__).parents[3] / "configs" / "synth" / "scene.yaml"
CONFIG = """
sources:
- {kind: folder, name: photos, path: HERE/photos, captions: null}
- {kind: edits, name: pairs, table: HERE/pairs.csv, sources: [before], instructions: [ask], target: after}
- {kind: synth, name: scenes, recipe: SCENES, count: 3, overrides: ["strategy.photos=[{path: HERE/photos/000.png}]"]}
fragments: {inputs: 4}
annotate: [{kind: measure}]
cluster: {cpus: 1}
decide: {rules: []}
pack: {rows: 32, megabytes: 1, group_megabytes: 1}
"""


def png(seed: int) -> bytes:
    return encode(picture(200, 200, seed=seed), "PNG")


def manifest(run: Path) -> pl.DataFrame:
    return pl.read_parquet(run / "dataset" / "manifest" / "*.parquet")


def holding(run: Path, data: bytes) -> list[str]:
    """Files of a run in which these bytes stand."""
    return sorted(str(p.relative_to(run)) for p in run.rglob("*") if p.is_file() and data in p.read_bytes())


def asked(run: Path) -> set[str]:
    """Instructions that are compacted for packing."""
    found = [pl.read_parquet(path)["instructions"] for path in (run / "compact" / "nested").iterdir()]
    return {text["text"] for column in found for row in column.drop_nulls() for text in row}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run: pictures, edit pairs of which one begins with a picture, scenes on that picture."""
    here = tmp_path_factory.mktemp("takedown")
    commands.write_pictures(here / "photos", 8, edge=256)
    (here / "after").mkdir()
    for number in range(2):
        (here / "after" / f"{number:03d}.png").write_bytes(png(50 + number))
    (here / "pairs.csv").write_text(
        "before,ask,after\nphotos/000.png,Make it small,after/000.png\nphotos/001.png,Turn it,after/001.png\n"
    )
    (here / "config.yaml").write_text(CONFIG.replace("HERE", str(here)).replace("SCENES", str(SCENES)))
    (here / "photos" / "broken.png").write_bytes(b"no picture")
    commands.run_inline("run", here / "config.yaml", here / "run")
    return here


def test_a_takedown_follows_scenes_and_edit_pairs_and_holds(here: Path) -> None:
    run, data = here / "run", (here / "photos" / "000.png").read_bytes()
    assert manifest(run)["source"].value_counts().sort("source")["count"].to_list() == [2, 8, 3]
    held = holding(run, data)
    assert len(held) >= 4
    assert asked(run) == {"Make it small", "Turn it"}
    before = {p: p.read_bytes() for p in run.rglob("*.parquet")}
    told = commands.run_inline("remove", run, "--uris", _list(here, "000.png\nbroken.png\nnot there.png\n"))
    assert "removed 2 rows and 4 made of them" in told
    assert "all sources: 14 inputs = 8 kept + 0 stopped + 0 failed + 6 removed" in told
    assert holding(run, data) == []
    assert asked(run) <= {"Turn it"}
    assert set(manifest(run)["uri"]) == {"after/001.png", *(f"{n:03d}.png" for n in range(1, 8))}
    shards = pl.read_parquet(run / "dataset" / "data" / "*.parquet")
    assert shards["id"].to_list() == manifest(run)["id"].to_list()
    receipt = json.loads((run / "removed" / "00001.json").read_text())
    assert (receipt["named"], receipt["made_of_them"], len(receipt["ids"])) == (2, 4, 6)
    assert receipt["bytes"] >= 5 * 1000
    changed = {str(p.relative_to(run)) for p in before if not p.exists() or p.read_bytes() != before[p]}
    assert {name for name in changed if name.startswith("samples")} == {
        f"samples/{f}.parquet" for f in receipt["samples"]
    }
    assert not [name for name in changed if name.startswith(("scores", "ledger", "failures"))]
    blank = pl.read_parquet(run / "samples" / "photos-00000.parquet").filter(pl.col("uri") == "000.png")
    assert blank["image"].struct.field("bytes").to_list() == [b""]
    assert pq.read_metadata(run / "samples" / "photos-00000.parquet").metadata

    after = commands.digest(run)
    commands.run_inline("run", here / "config.yaml", run)
    commands.run_inline("pack", run)
    assert "nothing, no input failed" in commands.run_inline("run", here / "config.yaml", run, "--retry", "all")
    assert {k: v for k, v in commands.digest(run).items() if "decisions" not in k} == {
        k: v for k, v in after.items() if "decisions" not in k
    }
    page = write_report(run).read_text()
    assert "8 inputs = 8 kept for at least one stage + 0 stopped before their first + 0 failed." in page


def test_what_was_taken_down_does_not_come_back_by_another_way(here: Path) -> None:
    run = here / "run"
    again = here / "again"
    again.mkdir()
    (again / "copy.png").write_bytes((here / "photos" / "000.png").read_bytes())  # the same pixels from elsewhere
    (again / "000.png").write_bytes(png(60))  # another picture under a uri that was taken down
    (here / "again.yaml").write_text("sources: [{kind: folder, name: again, path: " + str(again) + "}]")
    told = commands.run_inline("add", run, here / "again.yaml")
    assert "again: 2 inputs = 0 kept + 1 stopped + 1 failed" in told
    decisions = pl.read_parquet(run / "decisions" / "*.parquet")
    assert decisions["stopped_by"].drop_nulls().to_list() == ["S1.duplicate"]
    failures = pl.read_parquet(run / "failures" / "again-00000.parquet")
    assert failures["reason"].to_list() == ["removed"]
    assert "uri 000.png" in failures["error"][0]


def test_a_takedown_that_was_killed_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, id_ = here / "run", manifest(here / "run").filter(pl.col("uri") == "005.png")["id"][0]
    data = (here / "photos" / "005.png").read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(erase, "publish", killed)
    with pytest.raises(KeyboardInterrupt):
        remove_rows(run, "ids", _list(here, id_))
    monkeypatch.undo()
    work_inline(monkeypatch, guarded=True)
    assert holding(run, data)
    with pytest.raises(UserError, match=r"a removal is not finished; python -m pipeline pack"):
        decide_again(run, ())
    pack_again(run, ())
    assert holding(run, data) == []
    assert (run / "removed" / "00002.json").exists()
    erase.finish_removals(RunFolder(run), load_run_config(run / "run.yaml"))  # nothing is left


def test_lists_that_name_nothing_are_refused_or_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, rows = here / "run", len(manifest(here / "run"))
    for file, error in (
        (_list(here, "\n  \n"), r"--hosts '.*': names nothing"),
        (here / "no list", r"--hosts '.*no list': cannot be read: No such file"),
    ):
        with pytest.raises(UserError, match=error):
            remove_rows(run, "hosts", file)
    remove_rows(run, "hosts", _list(here, "example.com"))
    assert (
        "no input has one of these hosts now; what comes later with one of them is refused" in capsys.readouterr().out
    )
    assert len(manifest(run)) == rows
    told = commands.run_inline("remove", run, status=2)
    assert "one of the arguments --ids --uris --hosts --licenses is required" in told


def test_a_license_is_taken_down_with_every_row_under_it(here: Path) -> None:
    told = commands.run_inline("remove", here / "run", "--licenses", _list(here, "UNKNOWN"))
    assert "photos: 9 inputs = 0 kept" in told
    assert json.loads((here / "run" / "dataset" / "dataset.json").read_text())["rows"] == 0
    assert not list((here / "run" / "dataset" / "data").iterdir())


@pytest.mark.parametrize(
    ("by", "value", "row", "urls", "named"),
    [
        ("hosts", "Example.COM", {"uri": "https://img.example.com/a.png"}, (), "host example.com"),
        ("hosts", "example.com", {"uri": "https://notexample.com/a.png"}, (), None),
        ("hosts", "https://cdn.net/x", {"uri": "https://a.org/a.png"}, ("http://cdn.net:81/y",), "host cdn.net"),
        ("hosts", "example.com", {"uri": "example.com/a.png"}, (), None),  # a folder of that name
        ("licenses", "cc-by-nc-4.0", {"license": "OFL-1.1 AND CC-BY-NC-4.0"}, (), "license CC-BY-NC-4.0"),
        ("licenses", "CC-BY-4.0", {"license": "CC-BY-NC-4.0"}, (), None),
        ("ids", "ab", {"id": "ab"}, (), "id ab"),
        ("uris", "a.PNG", {"uri": "a.png"}, (), None),
    ],
)
def test_what_a_list_names(by: str, value: str, row: dict[str, str], urls: tuple[str, ...], named: str | None) -> None:
    asked = Asked(by, frozenset({normal(by, value)}))  # type: ignore[arg-type]
    assert asked.names({"id": "x", "uri": "x"} | row, urls) == named


def _list(folder: Path, text: str) -> Path:
    (folder / "list.txt").write_text(text)
    return folder / "list.txt"
