"""A disk that takes nothing is one line, whoever says so; half-made folders are removed; with room it goes on."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs import RunFailed, UserError, command
from configs.disk import disk_failure
from configs.errors import DiskFailed
from configs.files import created_once, filled, replace_text, replaced, writing


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB; skipped where none can be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, source: Path) -> None:
    with filled(folder):
        replace_text(folder / "first", "whole")
        shutil.copytree(source, folder / "part")


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("write", [created_once, replaced])
def test_a_full_disk_is_named_with_its_remedy_and_nothing_half_stays(small: Path, write) -> None:
    path = small / "F"
    with pytest.raises(DiskFailed) as caught, write(path) as temporary:
        temporary.write_bytes(b"x" * 200_000)
    assert str(caught.value) == (
        f"{path}: cannot be written (no space left on device): make room, and give the same command again; what was "
        "finished before is whole"
    )
    assert list(small.iterdir()) == []
    replace_text(path, "there is room")
    assert path.read_text() == "there is room"


@pytest.mark.parametrize("write", [created_once, replaced])
@pytest.mark.parametrize("where", ["F", "inner/F"])
def test_a_file_in_a_folders_place_is_named(write, where: str, tmp_path: Path) -> None:
    (tmp_path / "samples").write_text("a file")
    why = f"{where}: cannot be written .{tmp_path}/samples is no folder.: remove or"
    with pytest.raises(DiskFailed, match=why), write(tmp_path / "samples" / where):
        pass
    assert (tmp_path / "samples").read_text() == "a file"


def test_a_folder_is_filled_or_empty_also_where_a_disk_is_mounted(small: Path, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "large").write_bytes(b"x" * 200_000)
    for folder in (small, small / "inner"):
        with pytest.raises(DiskFailed, match=f"^{folder}: cannot be written .no space left on device.: make room"):
            fill(folder, tmp_path / "source")
        assert list(small.iterdir()) == []


def test_a_disk_for_reading_only_is_told_as_such(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    with pytest.raises(DiskFailed, match=r"read-only file system.: mount the disk for writing"):
        replace_text(small / "F", "text")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG, errno.ESTALE])
def test_every_form_in_which_it_is_said_is_one_line_and_status_1(number: int, capsys) -> None:
    text = os.strerror(number)
    forms = [
        OSError(number, text),
        shutil.Error([("a", "b", f"[Errno {number}] {text}: 'a' -> 'b'")]),
        RuntimeError(f"Error while serializing: I/O error: {text} (os error {number})"),  # as safetensors says it
    ]
    for error in forms:
        with pytest.raises(DiskFailed) as caught, writing(Path("OUT")), writing(Path("OUT/.inner.tmp")):
            raise error
        assert str(caught.value).startswith(f"OUT: cannot be written ({text.lower()}): ")
        again = pickle.loads(pickle.dumps(caught.value))
        assert str(again) == str(caught.value)
        assert command(lambda argv, error=again: fail(error), []) == 1
    assert command(lambda argv: fail(OSError(number, text, "/some/file")), []) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith(f"stopped: /some/file: cannot be written ({text.lower()}): ")


def test_what_is_not_of_the_disk_stays_what_it_is() -> None:
    for error in (
        FileNotFoundError(errno.ENOENT, "no"),
        KeyError("errno"),
        UserError("errno 28"),
        RunFailed("errno 28"),
    ):
        with pytest.raises(type(error)) as caught, writing(Path("OUT")):
            raise error
        assert caught.value is error
    assert disk_failure(FileNotFoundError(errno.ENOENT, "no")) is None
