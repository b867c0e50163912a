"""Pictures made elsewhere: which file belongs to which prompt."""

from pathlib import Path

import pytest
from PIL import Image

from configs import UserError
from trainer.evaluate.base import Item
from trainer.evaluate.drawing.folder import find_pictures, pictures_folder

ITEMS = [Item(name, "", 16, 16) for name in ("0", "zh-1", "zh-1-2")]


def folder_with(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (16, 16)).save(folder / name, "PNG")
    return folder


def test_files_are_found_by_prompt_and_number(tmp_path):
    folder = folder_with(tmp_path, "0.png", "0-1.png", "zh-1-0.png", "zh-1-2.png", "zh-1-2-3.PNG")
    found = find_pictures(folder, ITEMS)
    # zh-1-2.png is the prompt of that name, not the third picture of zh-1
    assert [(place, path.name) for place, path in found.pictures] == [
        *((0, "0.png"), (0, "0-1.png"), (1, "zh-1-0.png"), (2, "zh-1-2.png"), (2, "zh-1-2-3.PNG"))
    ]
    assert found.remarks("x") == []


def test_missing_extra_and_broken_files_are_counted(tmp_path):
    folder = folder_with(tmp_path, "0.png", "7-0.png", "0-a.png", "note.jpg")
    (folder / "zh-1.png").write_bytes(b"no picture")
    found = find_pictures(folder, ITEMS)
    assert (found.missing, found.extra, found.broken) == (
        *(("zh-1", "zh-1-2"), ("0-a.png", "7-0.png", "note.jpg"), ("zh-1.png",)),
    )
    assert [line.partition(": ")[2][:2] for line in found.remarks("x")] == ["2 ", "3 ", "1 "]


def test_two_files_of_one_picture_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"0-0.png and 0.png are the same picture"):
        find_pictures(folder_with(tmp_path, "0.png", "0-0.png"), ITEMS)


def test_a_folder_of_another_suite_says_how_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"holds no picture of this suite.*0.png or 0-0.png"):
        find_pictures(folder_with(tmp_path, "cat.png"), ITEMS)


def test_of_several_suites_each_has_a_folder(tmp_path):
    folder_with(tmp_path / "dense")
    assert pictures_folder(tmp_path, "dense", 2) == tmp_path / "dense"
    assert pictures_folder(tmp_path, "cvtg", 1) == tmp_path
    with pytest.raises(UserError, match="has no folder 'cvtg'"):
        pictures_folder(tmp_path, "cvtg", 2)
    with pytest.raises(UserError, match="found nothing"):
        pictures_folder(tmp_path / "nowhere", "cvtg", 1)
