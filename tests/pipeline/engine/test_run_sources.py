"""All sources without a network in one run, with what is wrong in each: every input ends, and the sums hold."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.dataset import Dataset
from tests.pipeline import commands
from tests.pipeline.hostile import encode, picture

CONFIG = """
sources:
- {kind: folder, name: photos, path: PATH/photos, captions: .txt}
- {kind: webdataset, name: tars, tars: PATH/tars/*.tar, captions: [txt, {column: json.alt, source: recaption}], keep: [json.score]}
- {kind: parquet, name: rows, files: PATH/rows/*.parquet, captions: [caption], license: license, sha256: sha256}
- {kind: edits, name: pairs, table: PATH/pairs.jsonl, sources: [before], instructions: [ask], target: after}
fragments: {inputs: 5}
annotate: [{kind: measure}]
dedup: {radius: -1}
decide: {rules: []}
cluster: {small: 1000}
"""


def png(seed: int) -> bytes:
    return encode(picture(96, 96, seed=seed), "PNG")


def build(folder: Path) -> None:
    (folder / "photos").mkdir()
    for i in range(3):
        (folder / f"photos/{i}.png").write_bytes(png(i))
    (folder / "photos/0.txt").write_bytes("一只黑猫".encode("gb18030"))
    (folder / "photos/1.txt").write_text(" " * 1_000_000 + "x", encoding="utf-8")
    (folder / "photos/2.png.TXT").write_text("A cat\n一只猫\n", encoding="utf-8")
    (folder / "tars").mkdir()
    with tarfile.open(folder / "tars/0.tar", "w") as file:
        texts = [
            ("a.txt", b"A tar"),
            ("a.json", json.dumps({"alt": "又一只", "score": 0.25}).encode()),
            ("b.png", b"no"),
        ]
        for name, data in [("a.png", png(10)), *texts, ("c.png", png(11))]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    (folder / "tars/1.tar").write_bytes((folder / "tars/0.tar").read_bytes()[:3000])
    (folder / "rows").mkdir()
    rows = [{"image": {"bytes": png(20 + i), "path": None}, "caption": f"row {i}", "license": "MIT"} for i in range(3)]
    for row in rows[:2]:
        row["sha256"] = hashlib.sha256(row["image"]["bytes"]).hexdigest()  # type: ignore[index]
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows/a.parquet")
    pq.write_table(pa.table({"other": [1, 2]}), folder / "rows/b.parquet")
    (folder / "after.png").write_bytes(png(30))
    pairs = [
        {"before": "photos/0.png", "after": "after.png", "ask": "Brighter"},
        {"before": "/etc/passwd"},
        {"before": "photos/1.png", "after": "photos/2.png", "ask": "Another cat"},  # also a picture of the folder
        {"before": "photos/0.png", "after": "photos/2.png", "ask": "A third one"},
    ]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)), encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("sources")
    build(folder)
    (folder / "config.yaml").write_text(CONFIG.replace("PATH", str(folder)), encoding="utf-8")
    return folder / "run", commands.run_inline("run", folder / "config.yaml", folder / "run")


def test_the_sums_hold_for_every_source(run: tuple[Path, str]) -> None:
    path, output = run
    for line in (
        "photos: 3 inputs = 3 kept + 0 stopped + 0 failed",
        "tars: 5 inputs = 2 kept + 0 stopped + 3 failed",
        "rows: 5 inputs = 2 kept + 0 stopped + 3 failed",
        "pairs: 4 inputs = 3 kept + 0 stopped + 1 failed",
        "listed 3 inputs of photos; the captions of '0.txt' are left out: is not utf-8; 'encoding' names another one",
    ):
        assert line in output
    assert set(commands.table(path, "failures")["uri"]) == {
        *("0.tar/b.png", "1.tar", "1.tar/a.png", "a.parquet/2", "b.parquet/0", "b.parquet/1", "row 1")
    }


def test_captions_keep_their_source_and_bad_ones_are_told_and_no_captions(run: tuple[Path, str]) -> None:
    dataset = Dataset.open(run[0] / "dataset")
    rows = {(row["source"], row["uri"]): row for row in dataset.read(range(dataset.rows))}

    def captions(source: str, uri: str) -> list[tuple[str, str, str | None]]:
        return [(c["text"], c["source"], c["invalid"]) for c in rows[source, uri]["captions"]]

    assert captions("photos", "0.png") == [("", "raw", "S3.encoding")]
    assert captions("photos", "1.png") == [("x", "raw", None)]
    assert captions("photos", "2.png") == [("A cat", "raw", None), ("一只猫", "raw", None)]
    assert captions("tars", "0.tar/a.png") == [("A tar", "raw", None), ("又一只", "recaption", None)]
    assert captions("rows", "a.parquet/0") == [("row 0", "raw", None)]
    assert json.loads(rows["tars", "0.tar/a.png"]["extra"]) == {"json.score": 0.25}
    assert rows["rows", "a.parquet/1"]["license"] == "MIT"
    pair = rows["pairs", "after.png"]
    assert (pair["task"], pair["ref_sizes"], len(pair["references"])) == ("ti2i", [96, 96], 1)
    assert [(i["text"], i["invalid"]) for i in pair["instructions"]] == [("Brighter", None)]
    manifest = pl.read_parquet(run[0] / "dataset" / "manifest" / "*.parquet")
    assert "extra" not in manifest.columns
    counts = dict(zip(manifest["uri"], manifest["n_captions"], strict=True))
    assert (counts["0.png"], counts["2.png"], counts["0.tar/a.png"]) == (0, 2, 2)
