"""Decisions over compacted fragments are those over the fragments, whatever happens to what is compacted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from configs import load
from pipeline.config import PipelineConfig
from pipeline.decide import copies
from pipeline.decide.changes import compare
from pipeline.decide.run import Decisions, decide_run, write_decisions
from pipeline.engine.redecide import decide_again
from pipeline.store.compact import Compacted
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT
from tests.pipeline.rows import sample_table


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> RunFolder:
    """A copy that a test may change, with nothing compacted."""
    copied = RunFolder(Path(shutil.copytree(small_run, tmp_path / "run")))
    shutil.rmtree(copied.compact)
    return copied


def config(run: RunFolder, *overrides: str) -> PipelineConfig:
    return load(run.config, PipelineConfig, overrides)


def decided(run: RunFolder) -> bytes:
    """decisions.parquet as it is decided now."""
    write_decisions(run, decide_run(run, config(run)), "key")
    return (run.decisions / "decisions.parquet").read_bytes()


def compact_files(run: RunFolder) -> dict[str, bytes]:
    return {str(p.relative_to(run.compact)): p.read_bytes() for p in run.compact.rglob("*") if p.is_file()}


def test_rows_are_those_of_the_fragments(run: RunFolder) -> None:
    expected = sample_table(run)
    compacted = Compacted(run)
    found = pl.concat([pl.DataFrame(compacted.rows(p, compacted.schema.names)) for p in compacted.parts])
    assert found.equals(expected.select(found.columns))
    assert sum(compacted.length(p) for p in compacted.parts) == len(expected)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-50]),
    "changed": lambda path: path.write_bytes(path.read_bytes().replace(path.read_bytes()[300:320], bytes(20), 1)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_made_again(run: RunFolder, damage: str) -> None:
    expected = decided(run)
    whole = compact_files(run)
    assert {name.split("/")[0] for name in whole} >= {"rows", "captions", "thumbnails", "judged", "duplicates"}
    for name in whole:
        DAMAGES[damage](run.compact / name)
    assert decided(run) == expected
    again = compact_files(run)
    asked = [n for n in whole if n.split("/")[0] in ("rows", "judged", "duplicates")]
    assert {n: again.get(n) for n in asked} == {n: whole[n] for n in asked}


def test_killed_while_it_compacts_it_decides_the_same(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = decided(run)
    whole = compact_files(run)
    replace, kills = Path.replace, 0
    while True:
        shutil.rmtree(run.compact)
        left = kills

        def dying(self: Path, target: Path) -> Path:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", dying)
        try:
            decide_run(run, config(run))
            break
        except KeyboardInterrupt:
            kills += 3
        finally:
            monkeypatch.setattr(Path, "replace", replace)
        assert decided(run) == expected
        assert compact_files(run) == whole
    assert kills >= 10


def test_a_file_that_was_written_anew_is_noticed_in_the_same_size_too(run: RunFolder) -> None:
    decided(run)
    names = sorted((run.path / "scores" / "measure").iterdir())
    one = names[-1]
    data = one.read_bytes()
    one.write_bytes(data[:-8] + bytes(8))  # of the same size, and no Parquet any more
    with pytest.raises(Exception, match=f"{one.name} is damaged"):
        decide_run(run, config(run))
    one.write_bytes(data)
    decided(run)


def test_it_opens_only_the_samples_that_it_shows(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """All other committed files may be anything, but for the first scores of each annotator, which name its columns."""
    decided(run)
    shown: set[str] = set()
    setting = "decide.rules.0.keep=luma < 0.4"
    before = pl.read_parquet(run.decisions / "decisions.parquet")
    after: Decisions = decide_run(run, config(run, setting), balanced=False)
    for group in compare(before, after.table):
        shown |= set(group.rows[FRAGMENT].cast(pl.String))
    assert shown
    spoiled = 0
    for path in (p for folder in ("samples", "scores", "failures") for p in (run.path / folder).rglob("*.parquet")):
        if path.stem not in shown and ("scores" not in path.parts or path != min(path.parent.iterdir())):
            about = path.stat()
            path.write_bytes(bytes(about.st_size))
            os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
            spoiled += 1
    assert spoiled > 5
    decide_again(run.path, [setting], dry_run=True)
    assert "only to S1 by" in capsys.readouterr().out


def test_copies_are_looked_for_where_something_changed_that_they_follow_from(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(run)
    searches = []
    search = copies.kept_copies
    monkeypatch.setattr(copies, "kept_copies", lambda *given: searches.append(given) or search(*given))
    decide_run(run, config(run, "decide.rules.0.keep=luma < 0.4"))
    assert not searches
    decide_run(run, config(run, "dedup.radius=2"))
    assert len(searches) == 1
