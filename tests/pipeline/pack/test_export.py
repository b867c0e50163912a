"""A dataset as others read it: tars of WebDataset, and its Parquet files in DuckDB, Polars, ``datasets`` and Daft."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import datasets
import polars as pl
import pytest
from PIL import Image

from configs import UserError
from configs.pictures import Limits
from pipeline.dataset import Dataset
from pipeline.pack.export import export_webdataset
from pipeline.sources import WebDatasetSource


@pytest.fixture(scope="module")
def tars(mixed_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "tars"
    export_webdataset(mixed_run, out, megabytes=1)
    return out


def facts(run: Path) -> pl.DataFrame:
    return pl.read_parquet(run / "dataset" / "manifest" / "*.parquet")


def test_tars_hold_every_row_in_order_and_whole(mixed_run: Path, tars: Path) -> None:
    dataset = Dataset.open(mixed_run / "dataset")
    samples = dataset.read(range(dataset.rows))
    files = sorted(tars.iterdir())
    assert len(files) > 1
    assert all(path.stat().st_size < 1_000_000 + 500_000 for path in files)
    members: dict[str, bytes] = {}
    for path in files:
        with tarfile.open(path) as tar:
            for info in tar:
                assert (info.mtime, info.uid, info.uname) == (0, 0, "")
                members[info.name] = tar.extractfile(info).read()  # type: ignore[union-attr]
    assert list(dict.fromkeys(name.split(".")[0] for name in members)) == [sample["id"] for sample in samples]
    for sample in samples:
        own = {n.split(".", 1)[1]: data for n, data in members.items() if n.startswith(sample["id"])}
        about = json.loads(own.pop("json"))
        captions = [c["text"] for c in sample["captions"] or () if not c["invalid"]]
        assert (about["captions"], about["width"], about["license"]) == (captions, sample["width"], sample["license"])
        assert about["stage_to"] >= 1
        assert own.pop("txt", b"").decode() == (captions[0] if captions else "")
        references = [own.pop(name) for name in sorted(own) if name.startswith("ref")]
        assert references == [r["bytes"] for r in sample["references"] or ()]
        assert list(own.values()) == [sample["image"]["bytes"]]
    assert any(name.split(".")[1] == "ref0" for name in members)


def test_our_own_source_reads_the_tars(mixed_run: Path, tars: Path) -> None:
    run = facts(mixed_run)
    source = WebDatasetSource(kind="webdataset", name="again", tars=f"{tars}/*.tar", captions=("json.captions",))
    reader = source.reader()
    reader.setup()
    found = {}
    for entry in source.entries("sources.0", print):
        if ".ref" not in entry.uri:
            row = reader.read(vars(entry) | {"place": entry.place}, Limits())
            found[Path(entry.uri).name.split(".")[0]] = (row["sha256"], len(row["captions"]))
    assert found == {id_: (sha, n) for id_, sha, n in run.select("id", "sha256", "n_captions").iter_rows()}


def test_the_same_rows_are_the_same_bytes_and_only_those_asked_for(mixed_run: Path, tars: Path, tmp_path: Path) -> None:
    export_webdataset(mixed_run / "dataset", tmp_path / "again", megabytes=1)
    digests = [
        [hashlib.sha256(p.read_bytes()).digest() for p in sorted(f.iterdir())] for f in (tars, tmp_path / "again")
    ]
    assert digests[0] == digests[1]
    export_webdataset(mixed_run, tmp_path / "edits", where="task == 'ti2i'")
    with tarfile.open(tmp_path / "edits" / "00000.tar") as tar:
        ids = {name.split(".")[0] for name in tar.getnames()}
    assert ids == set(facts(mixed_run).filter(pl.col("task") == "ti2i")["id"])


def test_what_cannot_be_exported_is_refused(mixed_run: Path, tars: Path, tmp_path: Path) -> None:
    for arguments, error in (
        ((mixed_run, tars), r"OUT '.*': it is there already"),
        ((mixed_run, tmp_path / "x", "width < 0"), r"--where 'width < 0': is true for no sample"),
        ((mixed_run, tmp_path / "x", "widht > 0"), "did you mean"),
        ((mixed_run, tmp_path / "x", None, 0), "--megabytes: expected 1 or more, found 0"),
        ((tmp_path, tmp_path / "x"), "dataset.json"),
    ):
        with pytest.raises(UserError, match=error):
            export_webdataset(*arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def shards(run: Path) -> str:
    return str(run / "dataset" / "data" / "*.parquet")


def _whole(image: dict, width: int, height: int) -> bool:
    return Image.open(io.BytesIO(image["bytes"])).size == (width, height)


def test_duckdb_reads_it(mixed_run: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    run = facts(mixed_run)
    found = duckdb.sql(
        f"SELECT m.id, d.image, d.width, d.height, len(d.captions) AS captions, m.stage_to FROM '{shards(mixed_run)}' d "
        f"JOIN '{mixed_run}/dataset/manifest/*.parquet' m USING (id) ORDER BY m.id"
    ).fetchall()
    assert [row[0] for row in found] == sorted(run["id"])
    assert all(_whole(image, width, height) for _, image, width, height, *_ in found)
    text = f"SELECT count(*) FROM '{shards(mixed_run)}' WHERE text_level >= 2 AND license <> ''"
    assert duckdb.sql(text).fetchall() == [(len(run.filter(pl.col("text_level") >= 2)),)]


def test_polars_reads_it(mixed_run: Path) -> None:
    run = facts(mixed_run)
    found = pl.scan_parquet(shards(mixed_run)).filter(pl.col("text_level") >= 2).collect()
    assert found["id"].to_list() == run.filter(pl.col("text_level") >= 2)["id"].to_list()
    assert all(_whole(*row) for row in found.select("image", "width", "height").iter_rows())


def test_datasets_reads_it(mixed_run: Path, tmp_path: Path) -> None:
    run = facts(mixed_run)
    loaded = datasets.load_dataset(str(mixed_run / "dataset"), split="train", cache_dir=str(tmp_path))
    assert loaded["id"][:] == run["id"].to_list()
    sizes = [loaded[row]["image"].size for row in range(0, len(run), 7)]
    assert sizes == [run.select("width", "height").row(row) for row in range(0, len(run), 7)]


def test_daft_reads_it(mixed_run: Path) -> None:
    daft = pytest.importorskip("daft")
    run = facts(mixed_run)
    found = daft.read_parquet(shards(mixed_run)).where(daft.col("text_level") >= 2)
    rows = found.select("id", "image", "width", "height").to_pydict()
    assert sorted(rows["id"]) == sorted(run.filter(pl.col("text_level") >= 2)["id"])
    assert all(map(_whole, rows["image"], rows["width"], rows["height"]))
