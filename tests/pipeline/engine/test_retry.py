"""What failed is tried again beside what is committed: nothing else changes, and the last attempt counts."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from configs import UserError
from pipeline.config import load_config
from pipeline.engine.retry import retry_reasons
from pipeline.report.build import write_report
from pipeline.store.failures import REASONS
from tests import forked
from tests.pipeline import commands
from tests.pipeline.hostile import encode, picture

CONFIG = """
sources: [{kind: folder, name: photos, path: PHOTOS}]
fragments: {inputs: 3}
annotate: [{kind: measure}]
decide: {rules: []}
cluster: {cpus: 1}
"""


def png(seed: int) -> bytes:
    return encode(picture(96, 96, seed=seed), "PNG")


def test_only_reasons_that_exist_are_taken() -> None:
    assert retry_reasons("all") == set(REASONS)
    assert retry_reasons("missing, timeout") == {"missing", "timeout"}
    for text in ("nonsense", "all,missing", ""):
        with pytest.raises(UserError, match="--retry: expected all or some of repeated, bad_url"):
            retry_reasons(text)


def test_names_of_what_is_tried_again_are_no_names_of_sources(tmp_path: Path) -> None:
    for name in ("r1", "photos-r2"):
        (tmp_path / "c.yaml").write_text(CONFIG.replace("name: photos", f"name: {name}"))
        with pytest.raises(UserError, match=r"sources\.0\.name.*would be the name of what is tried again"):
            load_config(tmp_path / "c.yaml")


def test_a_retry_takes_what_can_be_read_now_and_leaves_the_rest(tmp_path: Path) -> None:
    photos, run = tmp_path / "photos", tmp_path / "run"
    commands.write_pictures(photos, 4)
    (photos / "gone.png").symlink_to("later.bin")
    (photos / "out.png").symlink_to(tmp_path / "secret.png")
    (photos / "cut.png").write_bytes(png(50)[:-500])
    (photos / "text.png").write_bytes(b"no picture")
    (tmp_path / "secret.png").write_bytes(png(51))
    (tmp_path / "config.yaml").write_text(CONFIG.replace("PHOTOS", str(photos)))

    output = commands.run_inline("run", tmp_path / "config.yaml", run)
    assert "photos: 8 inputs = 4 kept + 0 stopped + 4 failed" in output
    failures = commands.table(run, "failures")
    reasons = dict(failures.select("uri", "reason").iter_rows())
    assert reasons == {
        "gone.png": "missing",
        "out.png": "forbidden",
        "cut.png": "undecodable",
        "text.png": "undecodable",
    }
    assert failures["attempt"].unique().to_list() == [1]
    before, ids = commands.digest(run), dict(failures.select("uri", "id").iter_rows())
    old_shards = sorted((run / "samples").iterdir())

    (photos / "later.bin").write_bytes(png(52))
    (photos / "cut.png").write_bytes(png(50))
    output = commands.run_inline("run", tmp_path / "config.yaml", run, "--retry", "missing,undecodable,forbidden")
    assert "trying again: 2 undecodable, 1 missing, 1 forbidden" in output
    assert "photos: 8 inputs = 6 kept + 0 stopped + 2 failed" in output
    after = commands.digest(run)
    kept = {name for name in before if name.startswith(("samples", "scores", "failures", "ledger"))}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert {p.name for p in (run / "samples").iterdir()} - {p.name for p in old_shards} == {
        *("photos-r1-00000.parquet", "photos-r1-00001.parquet")
    }
    manifest = pl.read_parquet(run / "dataset" / "manifest" / "*.parquet")
    found = dict(manifest.select("uri", "id").iter_rows())
    assert len(found) == 6
    assert (found["gone.png"], found["cut.png"]) == (ids["gone.png"], ids["cut.png"])
    again = commands.table(run, "failures").filter(pl.col("attempt") == 2)
    assert dict(again.select("uri", "reason").iter_rows()) == {"out.png": "forbidden", "text.png": "undecodable"}
    page = write_report(run).read_text()
    assert "8 inputs = 6 kept for at least one stage + 0 stopped before their first + 2 failed." in page
    assert "out.png" in page
    assert json.loads((run / "dataset" / "dataset.json").read_text())["rows"] == 6

    again_output = commands.run_inline("run", tmp_path / "config.yaml", run)  # nothing is left to do
    assert "listed" not in again_output
    assert commands.digest(run) == after
    done = forked.run(["pipeline", "run", tmp_path / "config.yaml", run, "--retry", "bad"])
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--retry: expected all or some of" in done.stderr
