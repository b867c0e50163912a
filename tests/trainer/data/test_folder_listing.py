"""metadata.jsonl: what it may hold, and that a line which would be trained as something else is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs import UserError
from tests.trainer.data.folders import put, told
from trainer.data.folder import PictureFolder
from trainer.data.folder_listing import read_listing


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "before.png", "sub/a.png"):
        put(tmp_path / name)
    return tmp_path


def listed(folder: Path, *lines: str | dict[str, object]) -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[1]", "a JSON object is expected, found list"),
        ('{"text": "x"}', "'file_name': is missing"),
        ('{"file_name": "a.png", "text": "x", "text": "y"}', "'text': stands twice"),
    ],
)
def test_what_is_no_line_is_refused(pictures: Path, line: str, message: str) -> None:
    refused(listed(pictures, line), 1, message)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("file_name", value) for value in (3, None, "", " ", ["a.png"], True, ".", "a\0.png", "sub\\a.png")],
        *[("file_name", value) for value in ("/etc/passwd", "../a.png", "sub/../../a.png", "C:/a.png")],
        *[("text", value) for value in (3, {"en": "x"}, ["x", None], True, "half \ud83d")],
        *[("caption", value) for value in (3, [["x"]])],
        *[("instruction", value) for value in (3, "Make it red.")],  # with nothing to edit
        *[("references", value) for value in ("", [""], 3, ["../a.png"], ["before.png", None], {"a": 1})],
        *[("mask", value) for value in ("", 3, "/etc/passwd", ["before.png"], False)],
        *[("repeats", value) for value in (0, -1, 1e300, True, "2", None, float("nan"), float("inf"), 10**400)],
    ],
)
def test_a_wrong_value_names_line_and_field(pictures: Path, field: str, value: object) -> None:
    line = {"file_name": "a.png", "text": "x", field: value}
    refused(listed(pictures, {"file_name": "b.png", "text": "x"}, line), 2, f"field '{field}")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("reference", "references"),
        ("Text", "text"),
        ("captions", "caption"),
        ("filename", "file_name"),
        ("masks", "mask"),
        ("repeat", "repeats"),
        ("instructions", "instruction"),
        ("image_path", "file_name"),
        ("control_path", "references"),
        ("control_path_1", "references"),
        ("conditioning_image", "references"),
        ("num_repeats", "repeats"),
        ("mask_file_name", "mask"),
        ("edited_file_names", "references"),
    ],
)
def test_a_column_that_somebody_means_as_a_field_is_refused(pictures: Path, name: str, meant: str) -> None:
    line = {"file_name": "a.png", "text": "x", name: "before.png"}
    message = refused(listed(pictures, line), 1, f"'{name}'")
    assert f"'{meant}'" in message


def test_other_columns_are_told_once_and_not_read(pictures: Path) -> None:
    lines = [{"file_name": n, "text": "x", "license": "mine", "caption_en": "y"} for n in ("a.png", "b.png")]
    dataset = PictureFolder.open(listed(pictures, *lines, {"file_name": "sub/a.png", "text": "x", "width": 3}))
    assert (
        "metadata.jsonl: columns that are not read: 'license' (2 lines), 'caption_en' (2 lines), 'width' (1 lines)"
        in (told(dataset))
    )
    assert [len(s["captions"]) for s in dataset.read(range(3))] == [1, 1, 1]


def test_a_line_without_its_file_and_a_file_without_a_line_are_told(pictures: Path) -> None:
    lines = [{"file_name": "a.png", "text": "x"}, {"file_name": "gone.png", "text": "x"}]
    lines += [{"file_name": "b.png", "text": "x", "references": "lost.png"}]
    dataset = PictureFolder.open(listed(pictures, *lines))
    lines_told = told(dataset)
    assert dataset.rows == 1
    assert "1 left out: gone.png: is listed in metadata.jsonl and is not there" in lines_told
    assert any(
        line.startswith("1 left out: b.png: its reference 1 cannot be read: there is nothing") for line in lines_told
    )
    assert "2 files belong to no picture: before.png, sub/a.png" in lines_told


@pytest.mark.parametrize("name", ["a.png", "./a.png"])
def test_a_picture_stands_in_one_line(pictures: Path, name: str) -> None:
    lines = [{"file_name": "a.png", "text": "x"}, "", {"file_name": name, "text": "y"}]
    refused(listed(pictures, *lines), 3, "'a.png' is listed twice, in line 1 too")


def test_a_line_separator_within_a_text_ends_no_line(pictures: Path) -> None:
    listed(pictures, json.dumps({"file_name": "a.png", "text": "one\u2028two\x85"}, ensure_ascii=False))
    (item,) = read_listing(pictures).items
    assert item.texts == ("one\u2028two",)


@pytest.mark.parametrize("data", [b'{"file_name": "caf\xe9.png"}', b"", None])
def test_a_file_that_cannot_be_taken_is_named(pictures: Path, data: bytes | None) -> None:
    listing = pictures / "metadata.jsonl"
    if data is None:
        listing.symlink_to(pictures / "nowhere")
    else:
        listing.write_bytes(data)
    with pytest.raises(UserError) as caught:
        PictureFolder.open(pictures)
    assert str(listing) in str(caught.value)


def test_a_link_that_leads_out_is_followed_and_told(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hugging Face's cache holds a data set as links to its blobs."""
    blobs = tmp_path_factory.mktemp("blobs")
    put(blobs / "blob", seed=4)
    (pictures / "a.png").unlink()
    (pictures / "a.png").symlink_to(blobs / "blob")
    (pictures / "b.png").unlink()
    (pictures / "b.png").symlink_to(pictures / "before.png")
    dataset = PictureFolder.open(listed(pictures, *({"file_name": n, "text": "x"} for n in ("a.png", "b.png"))))
    assert dataset.rows == 2
    assert "1 files are links that lead out of the folder: a.png" in told(dataset)


def refused(folder: Path, line: int, message: str) -> str:
    """The one line in which ``folder`` is refused."""
    with pytest.raises(UserError) as caught:
        PictureFolder.open(folder)
    text = str(caught.value)
    assert text.startswith(f"{folder / 'metadata.jsonl'}: line {line}: "), text
    assert message in text, text
    assert "\n" not in text
    assert len(text.removeprefix(str(folder))) < 250
    return text
