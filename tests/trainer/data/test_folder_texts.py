"""Captions of a folder: which file they stand in, and that what describes nothing is left out and counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.trainer.data.folders import folder, put, told
from trainer.data.folder import PictureFolder
from trainer.data.folder_texts import judged

BLANK = (
    "\u200b\u200b",
    "\ufeff",
    "\u2060",
    "\u3164",
    "\u2800 \u2800",
    "\u00ad",
    "\ufe0f",
    "\u202e\u202c",
    "\U000e0001",
)
APOLOGIES = (
    "Sorry, I cannot provide a caption for this image.",
    "I am unable to describe it.",
    "抱歉，我无法描述这张图片",
)


def captions(dataset: PictureFolder) -> list[list[str]]:
    return [[c["text"] for c in s["captions"]] for s in dataset.read(range(dataset.rows))]


@pytest.mark.parametrize("text", BLANK)
def test_a_text_of_which_nobody_sees_anything_is_none(text: str) -> None:
    valid, why = judged([text, "A cat."])
    assert valid == ("A cat.",)
    assert why == ("blank, only characters that nobody sees",)


@pytest.mark.parametrize("text", APOLOGIES)
def test_an_apology_is_none(text: str) -> None:
    assert judged([text]) == ((), ("a captioner's apology or control token, which describes nothing",))


@pytest.mark.parametrize("text", ["😀", "猫", ".", "a\u200b", "é", "word " * 3000])
def test_what_says_something_is_one(text: str) -> None:
    assert judged([text]) == ((text,), ())


def test_pictures_without_a_valid_text_are_left_out_and_counted_by_reason(tmp_path: Path) -> None:
    texts = {f"blank{i}": text for i, text in enumerate(BLANK[2:5])} | {f"sorry{i}": t for i, t in enumerate(APOLOGIES)}
    folder(tmp_path, good="Fine.", both=f"Fine, too.\n{APOLOGIES[0]}", **texts)
    dataset = PictureFolder.open(tmp_path)
    assert captions(dataset) == [["Fine, too."], ["Fine."]]
    lines = told(dataset)
    assert any(
        line.startswith("3 left out: blank0.png, blank1.png, blank2.png: has no caption: its text is b")
        for line in lines
    )
    assert any(
        line.startswith("3 left out: sorry0.png, sorry1.png, sorry2.png: has no caption: its text is a")
        for line in lines
    )
    assert "1 texts left out, of both.png: a captioner's apology or control token, which describes nothing" in lines


def test_instructions_and_the_folder_s_own_caption_are_judged_too(tmp_path: Path) -> None:
    folder(tmp_path / "pairs", a=APOLOGIES[0])
    put(tmp_path / "pairs" / "references" / "a.png")
    folder(tmp_path / "10_sks cat", b="\u200b")
    dataset = PictureFolder.open(tmp_path)
    assert captions(dataset) == [["sks cat"]]
    assert any(
        line.startswith("1 left out: pairs/a.png: has no instruction: its text is a capt") for line in told(dataset)
    )


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("a.TXT",), "a.TXT"),
        (("a.caption",), "a.caption"),
        (("a.Caption",), "a.Caption"),
        (("a.txt", "a.caption"), "a.txt"),
        (("a.caption", "a.TXT"), "a.TXT"),
    ],
)
def test_which_file_holds_the_text(tmp_path: Path, names: tuple[str, ...], text: str) -> None:
    put(tmp_path / "a.PNG")
    for name in names:
        (tmp_path / name).write_text(name)
    dataset = PictureFolder.open(tmp_path)
    assert captions(dataset) == [[text]]
    rest = [name for name in names if name != text]
    assert [line for line in told(dataset) if "belong to no" in line] == [
        f"1 files belong to no picture: {name}" for name in rest
    ]


def test_text_files_that_cannot_be_read_cost_their_picture_alone(tmp_path: Path) -> None:
    folder(tmp_path, dangling="x", good="Fine.", pipe="x")
    for name in ("dangling", "pipe"):
        (tmp_path / f"{name}.txt").unlink()
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.txt")
    dataset = PictureFolder.open(tmp_path)
    assert captions(dataset) == [["Fine."]]
    assert "1 left out: pipe.png: has a text file that cannot be taken: not a regular file: a pipe" in told(dataset)
    assert any(line.startswith("1 left out: dangling.png: has a text file that cannot") for line in told(dataset))
