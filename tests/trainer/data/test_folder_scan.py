"""Which file is what, in folders as other trainers and operating systems leave them."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs import UserError
from tests.trainer.data.folders import folder, put, told
from trainer.data.folder import PictureFolder
from trainer.data.folder_config import FolderConfig
from trainer.data.folder_item import MOST_REPEATS, repeats_of
from trainer.data.folder_scan import scan


def test_what_an_operating_system_leaves_is_no_stray(tmp_path: Path) -> None:
    folder(tmp_path, a="A.")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._a.png", "__MACOSX/._a.png"):
        put(tmp_path / name)
    found = scan(tmp_path, FolderConfig("x"))
    assert ([item.uri for item in found.items], found.strays, found.told) == (["a.png"], (), ())


def test_links_to_folders_and_lists_deeper_down_are_told(tmp_path: Path) -> None:
    folder(tmp_path / "data", a="A.")
    folder(tmp_path / "elsewhere", b="B.")
    (tmp_path / "data" / "10_cat").symlink_to(tmp_path / "elsewhere")
    put(tmp_path / "data" / "train" / "c.png")
    (tmp_path / "data" / "train" / "metadata.jsonl").write_text('{"file_name": "c.png", "text": "C."}')
    dataset = PictureFolder.open(tmp_path / "data")
    lines = told(dataset)
    assert dataset.rows == 1
    assert any(line.startswith("1 subfolders are links, which are not followed: 10_cat;") for line in lines)
    assert any("train/metadata.jsonl: is not read" in line for line in lines)


@pytest.mark.parametrize("names", [("cat.png", "cat.jpg"), ("cat_1.png", "cat_01.png")])
def test_references_without_an_order_leave_the_picture_out(tmp_path: Path, names: tuple[str, str]) -> None:
    folder(tmp_path, cat="Make it red.", good="Fine.")
    for name in names:
        put(tmp_path / "references" / name)
    dataset = PictureFolder.open(tmp_path)
    assert dataset.rows == 1
    assert any(
        line.startswith("1 left out: cat.png: has two references of the same name or number") for line in told(dataset)
    )


def test_a_picture_without_a_reference_beside_pairs_is_told(tmp_path: Path) -> None:
    folder(tmp_path, a="Make it red.", b="Make it blue.")
    put(tmp_path / "references" / "a.png")
    put(tmp_path / "references" / "b_\u00b2.png")  # a digit that is no number
    line = "1 pictures have no reference where others do: b.png; their texts are taken for captions"
    assert line in told(PictureFolder.open(tmp_path))


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("10_cat/a.png", (10.0, "cat")),
        ("10_cat/deep/a.png", (10.0, "cat")),
        ("2_x/3_y/a.png", (3.0, "y")),
        ("0_cat/a.png", (1.0, None)),
        ("10_a.png", (1.0, None)),
        ("\u0661_cat/a.png", (1.0, None)),
    ],
)
def test_repeats_stand_in_a_folder_s_name(uri: str, expected: tuple[float, str | None]) -> None:
    assert repeats_of(uri) == expected


@pytest.mark.parametrize("name", ["20240131_holidays", "9" * 200 + "_cat", f"{int(MOST_REPEATS) + 1}_cat"])
def test_a_date_is_no_number_of_repeats(tmp_path: Path, name: str) -> None:
    folder(tmp_path / name, a="A.")
    with pytest.raises(UserError, match="is how often its pictures are drawn, at most 1,000,000 times; rename"):
        PictureFolder.open(tmp_path)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e300])
@pytest.mark.parametrize("name", ["repeats", "weight"])
def test_factors_are_numbers_that_leave_others_a_part(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"field '{name}': must be above 0"):
        FolderConfig("x", **{name: value})  # type: ignore[arg-type]


def test_an_empty_folder_and_one_without_captions_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no picture that can be trained on"):
        PictureFolder.open(tmp_path / "empty")
    for seed in range(5):
        put(tmp_path / "bare" / f"{seed}.png", seed=seed)
    with pytest.raises(
        UserError, match=r"5 left out: 0.png, 1.png, 2.png \.\.\.: has no caption \(put it into a \.txt"
    ):
        PictureFolder.open(tmp_path / "bare")
