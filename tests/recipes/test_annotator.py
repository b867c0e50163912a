"""CONTRIBUTING.md, "An annotator", followed to the letter: a package of its own, next to ours."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from PIL import Image

from pipeline import scan
from tests import forked
from tests.pipeline.hostile import encode
from tests.recipes.contributing import PAGE, block

HEADING = "### An annotator"
SOURCES = "sources: [{kind: folder, name: photos, path: photos}]\n"
COLORS = {"red": (255, 0, 0), "pink": (180, 60, 60), "blue": (0, 0, 200), "gray": (90, 90, 90)}


def run(folder: Path, *arguments: str, status: int = 0) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(PAGE.parent)])}
    done = forked.run(["pipeline", *arguments], cwd=folder, env=environment)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def test_an_annotator_of_ones_own_fills_columns_that_rules_and_where_know(tmp_path: Path) -> None:
    module = tmp_path / "my_annotators" / "redness.py"
    module.parent.mkdir()
    module.write_text(block(HEADING, "python"), encoding="utf-8")
    (tmp_path / "config.yaml").write_text(SOURCES + block(HEADING, "yaml"), encoding="utf-8")
    (tmp_path / "photos").mkdir()
    for name, color in COLORS.items():
        (tmp_path / "photos" / f"{name}.png").write_bytes(encode(Image.new("RGB", (96, 64), color), "PNG"))
    (tmp_path / "photos" / "broken.png").write_bytes(b"no picture")

    assert "redness       sees the shared decode redness, is_red" in run(tmp_path, "plan", "config.yaml")
    wrong = run(tmp_path, "plan", "config.yaml", "--set", "decide.rules.0.keep=rednes < 0.5", status=2)
    assert "unknown column 'rednes'" in wrong
    assert "did you mean redness" in wrong
    run(tmp_path, "run", "config.yaml", "run", "--set", "dedup.radius=-1", "--set", "cluster.cpus=2")

    manifest = scan(tmp_path / "run" / "dataset").collect()
    rows = {row["uri"].removesuffix(".png"): row for row in manifest.iter_rows(named=True)}
    assert {name: round(row["redness"], 4) for name, row in rows.items()} == {
        "red": 1.0,
        "pink": round(120 / 255, 4),
        "blue": round(-100 / 255, 4),
        "gray": 0.0,
    }
    assert {name for name, row in rows.items() if row["is_red"]} == {"red", "pink"}
    assert {row["redness_state"] for row in rows.values()} == {"ok"}
    assert {name: row["stopped_by"] for name, row in rows.items() if row["stopped_by"]} == {"red": "S2.redness"}
    assert rows["red"]["stopped_value"] == 1.0
    shard = pl.read_parquet(tmp_path / "run" / "dataset" / "data" / "*.parquet")
    assert shard.select("id", "redness").sort("id").equals(manifest.select("id", "redness").sort("id"))
    file = next((tmp_path / "run" / "dataset" / "manifest").glob("*.parquet"))
    assert pq.read_schema(file).field("redness").metadata[b"meaning"].startswith(b"mean of red less")

    gallery = run(tmp_path, "inspect", "run", "--where", "redness > 0.4 and is_red")
    assert "where redness > 0.4 and is_red: 2 of 4" in gallery
    changed = run(tmp_path, "decide", "run", "--dry-run", "--set", "decide.rules.0.keep=redness < 0.3")
    assert "pink.png" in changed
    run(tmp_path, "report", "run")
    assert "redness" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
