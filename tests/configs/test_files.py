"""Files and folders appear whole or not at all; packages that are missing are told in one line with the remedy."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from configs import UserError
from configs.files import created_once, find_package, package_folder, remove_temporary, replace_text, replaced


def test_the_first_file_stays_and_an_unfinished_one_never_shows(tmp_path: Path) -> None:
    path = tmp_path / "F.parquet"
    with created_once(path) as temporary:
        temporary.write_text("first")
        assert not path.exists()
        assert [p for p in tmp_path.glob("*.parquet") if not p.name.startswith(".")] == []
    with created_once(path) as temporary:
        temporary.write_text("second")
    assert path.read_text() == "first"
    (tmp_path / ".G.parquet.0.tmp").write_text("left by a killed process")
    remove_temporary(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["F.parquet"]


def test_where_links_are_refused_the_first_file_stays_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for text in ("first", "second"):
        with created_once(tmp_path / "F") as temporary:
            temporary.write_text(text)
    assert (tmp_path / "F").read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["F"]


@pytest.mark.parametrize("durable", [True, False])
def test_the_first_folder_stays_and_a_later_one_may_take_its_place(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "deep" / "folder"
    for text in ("first", "second"):
        with created_once(path, durable) as temporary:
            temporary.mkdir()
            (temporary / "a").write_text(text)
            (temporary / text).write_text(text)
    assert sorted(p.name for p in path.iterdir()) == ["a", "first"]
    with replaced(path, durable) as temporary:
        temporary.mkdir()
        (temporary / "b").write_text("new")
    assert [p.name for p in path.iterdir()] == ["b"]
    assert [p.name for p in path.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("write", [created_once, replaced])
def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path, write) -> None:
    replace_text(tmp_path / "F", "old")
    for make in (Path.touch, Path.mkdir):
        with contextlib.suppress(ZeroDivisionError), write(tmp_path / "F") as temporary:
            make(temporary)
            raise ZeroDivisionError
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("F", "old")]


def test_sweeping_takes_folders_too_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "in" / ".G.0.tmp" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "kept.tmp").touch()
    (tmp_path / ".hidden").touch()
    remove_temporary(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == [".hidden", "in", "kept.tmp"]


def test_a_package_is_found_without_importing_it_and_a_missing_one_is_told_with_its_name_for_pip() -> None:
    folder = package_folder("skimage", "photos.0.package")
    assert (folder / "data").is_dir()
    assert find_package("skimage") == folder
    for absent in ("no_such_package", "no_such.deep", "..", ""):
        assert find_package(absent) is None
    with pytest.raises(UserError) as caught:
        package_folder("no_such_package", "photos.0.package")
    assert str(caught.value) == (
        "photos.0.package: the Python package 'no_such_package' is not installed; pip install no-such-package"
    )


def test_a_folder_is_replaced_whole_even_where_the_old_one_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("old", "new"):
        if text == "new":  # as if the process were killed while it removes
            monkeypatch.setattr(
                "configs.files.shutil.rmtree", lambda *_, **__: (_ for _ in ()).throw(OSError("killed"))
            )
        with contextlib.suppress(OSError), replaced(tmp_path / "step") as part:
            part.mkdir()
            for number in range(3):
                (part / f"f{number}").write_text(text)
    assert [(tmp_path / "step" / f"f{n}").read_text() for n in range(3)] == ["new"] * 3
    monkeypatch.undo()
    remove_temporary(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["step"]
