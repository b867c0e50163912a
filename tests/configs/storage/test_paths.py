from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from configs import UserError
from configs.files import created_once, replace_text
from configs.storage import ObjectPath, location
from configs.storage.paths import is_url


@pytest.mark.parametrize("text", ["s3://b/run", "gs://b/run/dataset", "az://c/x"])
def test_a_url_stays_one_through_every_operation(text: str) -> None:
    path = location(text)
    assert isinstance(path, Path)
    assert str(path) == text
    assert str(path / "samples" / "a-00000.parquet") == f"{text}/samples/a-00000.parquet"
    assert str((path / "x.parquet").with_suffix(".json").parent) == text
    assert str(path.absolute()) == str(path.resolve()) == text
    assert str(pickle.loads(pickle.dumps(path))) == text
    assert location(Path(text)) == path, "a Path has made one slash of two"
    assert str((path / "data" / "x").relative_to(path)) == "data/x"
    assert is_url(path)
    assert is_url(text)


def test_a_url_never_becomes_a_local_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = location("s3://b/run")
    for use in (os.fspath, open, os.listdir, Path.touch, lambda p: p.write_text("x"), lambda p: p.open("w")):
        with pytest.raises(UserError, match="'s3://b/run': expected a local path, found a URL"):
            use(path)
    assert os.listdir() == []


@pytest.mark.parametrize("text", ["hf://b/x", "https://b/x", "s3://", "s3:///", "s3://b/../c", "s3://b//c"])
def test_urls_that_name_nothing_in_a_store_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected"):
        location(text)


@pytest.mark.parametrize("text", ["runs/a", "/x/y", "c:/x", "a:b"])
def test_other_paths_stay_paths(text: str) -> None:
    assert type(location(text)) is type(Path()) or text == "c:/x"


def test_objects_are_listed_as_files_and_folders_are(bucket: Path) -> None:
    run = bucket / "run"
    assert not run.exists()
    for name in ("run.yaml", "scores/a/f-0.parquet", "scores/b/f-0.parquet", "scores/b/f-1.parquet", "run2/x"):
        replace_text(run / name, name)
    assert run.is_dir()
    assert not run.is_file()
    assert {p.name for p in run.iterdir()} == {"run.yaml", "scores", "run2"}
    assert sorted(str(p.relative_to(run)) for p in run.glob("*/*/f-0.parquet")) == [
        "scores/a/f-0.parquet",
        "scores/b/f-0.parquet",
    ]
    assert {p.name for p in (run / "scores").glob("[!a]")} == {"b"}
    sizes = {str(p.relative_to(run)): p.stat().st_size for p in run.rglob("*.parquet")}
    assert sizes == {f"scores/{n}.parquet": 20 for n in ("a/f-0", "b/f-0", "b/f-1")}
    assert (run / "run.yaml").read_text() == "run.yaml"
    assert not (run / "run").exists(), "a name that others begin with is none"


def test_objects_are_moved_and_removed(bucket: Path) -> None:
    path = bucket / "a" / "x y%20é#.txt"
    replace_text(path, "text")
    path.rename(bucket / "b" / path.name)
    assert not path.exists()
    assert (bucket / "b" / path.name).read_bytes() == b"text"
    with pytest.raises(FileNotFoundError):
        path.read_bytes()
    found = bucket / "b"
    assert isinstance(found, ObjectPath)
    found.remove_below()
    assert list(bucket.rglob("*")) == []


def test_parts_of_a_large_object_are_read_by_ranges(bucket: Path) -> None:
    content = bytes(range(256)) * 2000
    with created_once(bucket / "large") as file:
        file.write_bytes(content)
    with (bucket / "large").open("rb") as read:
        assert read.read(10) == content[:10]
        read.seek(-200_000, os.SEEK_END)
        assert read.read(150_000) == content[-200_000:-50_000], "across the end that opening brought"
        read.seek(0)
        assert read.read() == content
