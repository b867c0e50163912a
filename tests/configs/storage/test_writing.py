from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from configs import RunFailed
from configs.files import append_line, created_once, remove_tree, replace_text, replaced
from configs.storage import StorageFailed
from configs.storage.fence import fenced

if TYPE_CHECKING:
    from tests.object_store import Proxy


def test_the_first_object_stays_and_a_replacement_takes_its_place(bucket: Path) -> None:
    for text in ("first", "second"):
        with created_once(bucket / "x") as file:
            file.write_text(text)
    assert (bucket / "x").read_text() == "first"
    replace_text(bucket / "x", "third")
    assert (bucket / "x").read_text() == "third"
    append_line(bucket / "lines", "one")
    append_line(bucket / "lines", "two")
    assert (bucket / "lines").read_text() == "one\ntwo\n"


def test_nothing_appears_when_the_block_fails(bucket: Path) -> None:
    for write in (created_once, replaced):
        with pytest.raises(NotADirectoryError), write(bucket / "x") as file:
            (file.write_text("half"), (file / "none").read_text())
    assert list(bucket.rglob("*")) == []


def test_a_large_object_is_one_conditional_request(bucket: Path, proxy: Proxy) -> None:
    with created_once(bucket / "large") as file:
        file.write_bytes(b"0123456789abcdef" * (1 << 20))
    assert [method for method, _ in proxy.asked] == ["PUT"]
    assert (bucket / "large").stat().st_size == 16 << 20


def test_a_replacement_whose_answer_was_lost_is_done_once_more(bucket: Path, proxy: Proxy) -> None:
    replace_text(bucket / "x", "before")
    lost = iter(["lost"])
    proxy.fault = lambda method, path: next(lost, None) if method == "PUT" else None
    replace_text(bucket / "x", "after")
    assert (bucket / "x").read_text() == "after"


def test_an_object_that_never_stands_still_is_told(bucket: Path, proxy: Proxy) -> None:
    replace_text(bucket / "x", "before")
    proxy.fault = lambda method, path: (412, "PreconditionFailed") if method == "PUT" else None
    with pytest.raises(StorageFailed, match="changes while it is being replaced"):
        replace_text(bucket / "x", "after")


def test_inside_a_fence_nothing_changes_once_it_says_no(bucket: Path) -> None:
    replace_text(bucket / "run" / "x", "before")

    def check() -> None:
        raise RunFailed("taken over")

    with fenced(bucket / "run", check):
        for change in (
            lambda path: replace_text(path, "after"),
            lambda path: path.unlink(),
            lambda path: path.rename(bucket / "run" / "y"),
            lambda path: remove_tree(path.parent),
        ):
            with pytest.raises(RunFailed, match="taken over"):
                change(bucket / "run" / "x")
        with pytest.raises(RunFailed, match="taken over"), created_once(bucket / "run" / "new") as file:
            file.write_text("late")
        replace_text(bucket / "other", "free")
    assert {p.name for p in bucket.rglob("*")} == {"x", "other"}
    assert (bucket / "run" / "x").read_text() == "before"


def test_a_full_temporary_folder_is_named(bucket: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(
            RunFailed, match=r"cannot be written \(file too large\).*, or set TMPDIR: 's3://.*/x' is made there"
        ):
            replace_text(bucket / "x", "x" * (1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(bucket.rglob("*")) == []
