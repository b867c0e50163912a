"""A run in an object store is the run on a disk, and what the store does meanwhile costs nothing but time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from configs import RunFailed, UserError
from configs.storage import use_storage
from pipeline import scan
from pipeline.config import load_config
from pipeline.dataset import Dataset, find_dataset
from pipeline.engine.add import add_sources
from pipeline.engine.plan import plan
from pipeline.engine.redecide import decide_again, pack_again
from pipeline.engine.remove import remove_rows
from pipeline.engine.run import run_pipeline
from pipeline.pack.export import export_webdataset
from pipeline.report.build import write_report
from pipeline.report.inspect import inspect_dataset
from tests.pipeline import commands
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.object_store import Proxy, Server

CONFIG = """
sources: [{kind: folder, name: photos, path: PHOTOS}]
fragments: {inputs: 4}
annotate: [{kind: measure}]
decide: {rules: []}
cluster: {cpus: 2}
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """config.yaml over 12 pictures, and ``disk``: the finished run."""
    folder = tmp_path_factory.mktemp("given")
    commands.write_pictures(folder / "photos", 12)
    (folder / "config.yaml").write_text(CONFIG.replace("PHOTOS", str(folder / "photos")))
    run_pipeline(load_config(folder / "config.yaml", ["cluster.small=1000"]), folder / "disk")
    return folder


def run(given: Path, path: Path) -> None:
    run_pipeline(load_config(given / "config.yaml"), path)


def broken_off(given: Path, path: Path, proxy: Proxy, fault: Any, after: int) -> str:
    """How a run ends of which the store fails every request that writes from the one number ``after`` on."""
    writes = iter(range(10**6))
    proxy.fault = lambda method, where: (
        fault if method == "PUT" and "/lock" not in where and next(writes) >= after else None
    )
    with pytest.raises(RunFailed) as told:
        run(given, path)
    proxy.fault = lambda method, path: None
    return str(told.value)


def test_it_ends_in_the_files_of_a_run_on_a_disk_whatever_breaks_it_off(
    given: Path, bucket: Path, proxy: Proxy, object_store: Server
) -> None:
    use_storage(object_store.config(proxy.endpoint, retry_s=0.3))
    path = bucket / "runs" / "a"
    line = broken_off(given, path, proxy, (403, "ExpiredToken"), 4)  # in a worker
    assert "the store refuses (ExpiredToken); renew the credentials, and give the same command again" in line
    use_storage(object_store.config(proxy.endpoint))
    run(given, path)
    assert commands.digest(path) == commands.digest(given / "disk")
    proxy.asked.clear()
    run(given, path)
    assert not [asked for asked in proxy.asked if asked[0] == "PUT" and not asked[1].endswith("/lock")], "up to date"
    assert len(proxy.asked) < 100


@pytest.mark.long
@pytest.mark.parametrize("fault", [(503, "SlowDown"), "reset"])
def test_it_goes_on_at_every_place_where_the_store_fails(
    given: Path, bucket: Path, proxy: Proxy, object_store: Server, fault: Any
) -> None:
    for after in (0, 3, 6, 9, 11, 13, 15):
        use_storage(object_store.config(proxy.endpoint, retry_s=0.3))
        assert "the store " in broken_off(given, bucket / "run", proxy, fault, after if after < 3 else 2)
    run(given, bucket / "run")
    assert commands.digest(bucket / "run") == commands.digest(given / "disk")


@pytest.mark.long
def test_a_killed_driver_is_gone_on_from(given: Path, bucket: Path, object_store: Server, tmp_path: Path) -> None:
    from configs import to_plain

    config = tmp_path / "config.yaml"
    text = (given / "config.yaml").read_text()
    config.write_text(text + f"storage: {json.dumps(to_plain(object_store.config()))}\n")
    for step in ("samples", "scores/measure", "failures"):
        process = commands.start(config, bucket / "run")
        wait_until(lambda step=step: len(commands.committed(bucket / "run", step)) >= 1, process.poll)
        process.kill()
        process.wait()
    commands.run_to_end(config, bucket / "run")
    assert commands.digest(bucket / "run") == commands.digest(given / "disk")


@pytest.fixture
def there(given: Path, bucket: Path) -> Path:
    """The finished run, copied into a bucket."""
    from configs.files import created_once

    for file in (given / "disk").rglob("*"):
        if file.is_file():
            with created_once(bucket / "run" / file.relative_to(given / "disk")) as copy:
                copy.write_bytes(file.read_bytes())
    return bucket / "run"


def test_a_finished_run_is_decided_and_looked_at_there(given: Path, there: Path, proxy: Proxy, tmp_path: Path) -> None:
    before = Dataset.open(there / "dataset").digest
    other = ["decide.rules=[{name: S2.luma, stage: 2, keep: 'luma < 0.5'}]"]
    decide_again(there, other, dry_run=True)
    proxy.asked.clear()
    decide_again(there, other, dry_run=True)
    assert len(proxy.asked) < 50, (
        "whatever the number of fragments, but for their listing and the pictures that are shown"
    )
    assert b"<html" in (there / "changes.html").read_bytes()
    decide_again(there, other)
    here = tmp_path / "disk"
    shutil.copytree(given / "disk", here)
    decide_again(here, other)
    assert Dataset.open(there / "dataset").digest == Dataset.open(here / "dataset").digest != before
    pack_again(there, ["decide.rules=[]"])
    assert Dataset.open(there / "dataset").digest == before
    assert "12 of 12 inputs done" in plan(load_config(given / "config.yaml"), there)
    assert str(inspect_dataset(there, "luma < 0.5")) == f"{there}/dataset.html"
    assert str(write_report(there)) == f"{there}/report.html"
    assert b"<html" in (there / "report.html").read_bytes()
    export_webdataset(there, tmp_path / "tars")
    export_webdataset(given / "disk", tmp_path / "local")
    assert (tmp_path / "tars" / "00000.tar").read_bytes() == (tmp_path / "local" / "00000.tar").read_bytes()


def test_rows_read_there_are_those_of_the_disk(given: Path, there: Path) -> None:
    away, here = find_dataset(there), find_dataset(given / "disk")
    rows = [7, 0, 3, 3]
    assert away.read(rows) == here.read(rows)
    assert away.read_pictures(rows) == here.read_pictures(rows)
    assert away.read_texts(rows) == here.read_texts(rows)
    assert (
        scan(there / "dataset")
        .select("id", "luma")
        .collect()
        .equals(scan(given / "disk" / "dataset").select("id", "luma").collect())
    )


@pytest.mark.long
def test_sources_are_added_and_rows_removed_there(given: Path, there: Path, tmp_path: Path) -> None:
    commands.write_pictures(tmp_path / "more", 14)
    for name in ("000.png", "001.png"):
        (tmp_path / "more" / name).unlink()
    config = tmp_path / "more.yaml"
    config.write_text(f"sources: [{{kind: folder, name: more, path: {tmp_path / 'more'}}}]\n")
    add_sources(there, config, [])
    dataset = Dataset.open(there / "dataset")
    assert dataset.rows == 14, "ten of the twelve are there already"
    ids = dataset.manifest(["id"])["id"].to_pylist()
    (tmp_path / "ids").write_text(ids[0])
    remove_rows(there, "ids", tmp_path / "ids")
    assert Dataset.open(there / "dataset").rows == 13
    (receipt,) = (there / "removed").glob("*.json")
    assert json.loads(receipt.read_text())["ids"] == [ids[0]]


def test_what_is_wrong_before_anything_is_begun_is_the_users_error(given: Path, bucket: Path, proxy: Proxy) -> None:
    from configs.storage import location

    for path, line in (
        ("s3://no-such-bucket/run", r"RUN s3://no-such-bucket/run: the store refuses \(NoSuchBucket\)"),
    ):
        with pytest.raises(UserError, match=line):
            run(given, location(path))
    proxy.fault = lambda method, path: (403, "AccessDenied") if method == "PUT" else None
    with pytest.raises(UserError, match=r"RUN s3://.*/lock: the store refuses \(AccessDenied\)"):
        run(given, bucket / "run")
    proxy.fault = lambda method, path: (403, "InvalidAccessKeyId")
    with pytest.raises(UserError, match=r"RUN s3://.*\(InvalidAccessKeyId\); check the credentials"):
        run(given, bucket / "run")
