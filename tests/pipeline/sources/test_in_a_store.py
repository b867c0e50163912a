"""Sources whose files lie in an object store: they list and read what they do on a disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from configs import RunFailed, UserError
from configs.files import created_once
from configs.storage import location
from pipeline.engine.list_sources import check_sources
from pipeline.sources import FolderSource, Source
from pipeline.store.run_folder import RunFolder
from tests.pipeline.sources import test_parquet as parquet
from tests.pipeline.sources import test_urls as urls
from tests.pipeline.sources import test_webdataset as web
from tests.pipeline.sources.listing import collected, listed

if TYPE_CHECKING:
    from tests.object_store import Proxy

Make = Callable[[Any], Source]


def put(folder: Path, to: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            with created_once(to / file.relative_to(folder)) as copy:
                copy.write_bytes(file.read_bytes())


def tars(folder: Path) -> None:
    many = [part for i in range(20) for part in web.sample(f"{i:03d}", f"number {i}")]
    web.tar(folder / "b" / "1.tar", many)
    web.tar(folder / "a.tar", web.sample("x/y.z/000"))
    web.tar(folder / ".hidden.tar", web.sample("000"))
    (folder / "cut.tar").write_bytes((folder / "a.tar").read_bytes()[:700])


def tables(folder: Path) -> None:
    parquet.write(
        folder / "b" / "1.parquet", pa.array(parquet.images(9), parquet.IMAGE), rows=4, caption=list("abcdefghi")
    )
    parquet.write(folder / "2.parquet", pa.array(parquet.PICTURES), caption=list("abcd"))
    (folder / "3.parquet").write_bytes(b"PAR1 no Parquet PAR1")


@pytest.mark.parametrize(
    ("fill", "make"),
    [
        (tars, lambda folder: web.source(f"{folder}/**/*.tar")),  # type: ignore[arg-type]
        (tars, lambda folder: web.source(f"{folder}/*.tar")),  # type: ignore[arg-type]
        (tables, lambda folder: parquet.source(f"{folder}/**/*.parquet", captions=("caption",))),  # type: ignore[arg-type]
    ],
)
def test_pictures_are_those_of_a_disk(fill: Callable[[Path], None], make: Make, tmp_path: Path, bucket: Path) -> None:
    fill(tmp_path)
    put(tmp_path, bucket / "in")
    there, here = make(bucket / "in"), make(tmp_path)
    there.check("sources.0")
    assert listed(there) == listed(here)
    found, expected = collected(there), collected(here)
    assert found == expected
    assert len(found[0]) >= 1


@pytest.mark.parametrize("ending", [".txt", ".csv", ".tsv", ".jsonl", ".parquet"])
def test_lists_are_those_of_a_disk(ending: str, tmp_path: Path, bucket: Path) -> None:
    file = urls.write(tmp_path, ending)
    put(tmp_path, bucket)
    there = urls.source(bucket / file.name)
    there.check("sources.0")
    assert listed(there) == listed(urls.source(file))
    with pytest.raises(UserError, match=r"sources\.0\.list.*is no file"):
        urls.source(bucket / f"other{ending}").check("sources.0")


def test_reading_a_tar_in_its_order_asks_for_megabytes(tmp_path: Path, bucket: Path, proxy: Proxy) -> None:
    tars(tmp_path)
    put(tmp_path, bucket)
    proxy.asked.clear()
    rows, failed = collected(web.source(f"{bucket}/b/*.tar"))  # type: ignore[arg-type]
    assert (len(rows), len(failed)) == (20, 0)
    assert len(proxy.asked) <= 6, "a listing, the size, the end and the whole of a small tar, twice"


def test_what_is_not_there_or_not_reached_is_one_line(bucket: Path, proxy: Proxy, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    cases: list[tuple[Source, str]] = [
        (web.source(f"{bucket}/*.tar"), r"field 'sources\.0\.tars': expected tars; no file matches 's3://"),  # type: ignore[arg-type]
        (web.source("s3://no-such-bucket/*.tar"), r"field 'sources\.0': s3://.*\(NoSuchBucket\); make the bucket"),  # type: ignore[arg-type]
        (web.source("hf://b/*.tar"), r"field 'sources\.0\.tars': 'hf://.*expected a local path, or a URL that begins"),  # type: ignore[arg-type]
        (
            FolderSource("folder", "f", f"{bucket}/x"),
            r"field 'sources\.0\.path': 's3://.*expected a local path, found a URL",
        ),
    ]
    for source, line in cases:
        with pytest.raises(UserError, match=line):
            check_sources(run, [source])
    web.tar(tmp_path / "a.tar", web.sample("000"))
    put(tmp_path, bucket)
    made = web.source(f"{bucket}/*.tar")  # type: ignore[arg-type]
    rows, _ = listed(made)
    proxy.fault = lambda method, path: (403, "ExpiredToken")
    with pytest.raises(RunFailed, match=r"ExpiredToken\); renew the credentials"):
        made.reader().read(rows[0], __import__("configs.pictures").pictures.Limits())


def test_a_run_among_its_own_inputs_is_refused() -> None:
    inside = RunFolder(location("s3://b/in/run"))
    source = web.source("s3://b/in/**/*.tar")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="lies inside the pictures"):
        check_sources(inside, [source])
    assert not source.holds(location("s3://b/other"))
    assert not source.holds(Path("/in/run"))
    assert not web.source(Path("/in/**/*.tar")).holds(location("s3://in/run"))
