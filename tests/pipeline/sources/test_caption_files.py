"""Text files beside pictures: which belong to which, and that none is guessed at."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from configs.pictures import Limits
from pipeline.decide.captions import CaptionConfig, CaptionJudge
from pipeline.sources import FolderSource
from pipeline.sources.caption_files import texts_beside
from pipeline.sources.caption_text import decode_text
from pipeline.store.ledger import Entry
from pipeline.tokens import finish_captions
from tests.pipeline.hostile import encode, picture

CHINESE = "一只黑猫坐在窗台上"


def listed(folder: Path, **fields: str) -> tuple[dict[str, Entry], list[str]]:
    remarks: list[str] = []
    made = FolderSource("folder", "photos", str(folder), captions=".txt", **fields)  # type: ignore[arg-type]
    return {e.uri: e for e in made.entries("sources.0", remarks.append)}, remarks


@pytest.mark.parametrize(
    ("picture", "text"),
    [
        ("a.png", "a.txt"),
        ("IMG_1.JPG", "IMG_1.TXT"),
        ("x.png", "x.png.txt"),
        (unicodedata.normalize("NFC", "café.png"), unicodedata.normalize("NFD", "café.txt")),
        (unicodedata.normalize("NFD", "café.png"), unicodedata.normalize("NFC", "café.png.TXT")),
    ],
)
def test_a_text_is_found_by_its_name(picture: str, text: str) -> None:
    assert texts_beside([picture.encode(), text.encode()]) == {picture.encode(): (text.encode(),)}


def test_exact_names_come_before_composed_ones_and_a_text_has_no_text() -> None:
    nfc, nfd = (unicodedata.normalize(form, "é").encode() for form in ("NFC", "NFD"))
    files = [n + ending for n in (nfc, nfd) for ending in (b".png", b".txt")]
    assert texts_beside(files) == {nfc + b".png": (nfc + b".txt",), nfd + b".png": (nfd + b".txt",)}
    assert texts_beside([b"a.png", b"a.jpg", b"a.txt", b"a.txt.txt", b"b.txt", b"A.png"]) == {
        b"a.png": (b"a.txt",),
        b"a.jpg": (b"a.txt",),
    }


@pytest.mark.parametrize(
    ("data", "fields", "captions"),
    [
        (CHINESE.encode(), {}, [CHINESE]),
        (b"\xef\xbb\xbf" + CHINESE.encode() + b"\r\nA cat\r\n", {}, [CHINESE, "A cat"]),
        (CHINESE.encode("gb18030"), {"encoding": "gb18030"}, [CHINESE]),
        (CHINESE.encode("utf-16"), {"encoding": "utf-16"}, [CHINESE]),
        (b"", {}, None),
        ("one\u2028line".encode(), {}, ["one\u2028line"]),
    ],
)
def test_captions_are_decoded_as_they_are_encoded(
    tmp_path: Path, data: bytes, fields: dict[str, str], captions: list[str] | None
) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "a.txt").write_bytes(data)
    found, remarks = listed(tmp_path, **fields)
    assert {uri: (e.captions, e.refused_captions) for uri, e in found.items()} == {"a.png": (captions, None)}
    assert remarks == []


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (CHINESE.encode("gb18030"), "S3.encoding", "is not utf-8; 'encoding' names another one"),
        ("一只猫".encode("gb18030"), "S3.encoding", "is UTF-8 by chance only and reads as GB18030"),
        (b"caf\xe9", "S3.encoding", "is not utf-8"),
        ("A cat".encode("utf-16-le"), "S3.encoding", "holds NUL characters"),
        (b"\0" * 100, "S3.encoding", "holds NUL characters"),
        (b"a" * (1 << 20) + b"b", "S3.length", "it is larger than 1,048,576 bytes"),
    ],
)
def test_a_text_that_cannot_be_read_is_told_and_counted_and_costs_no_picture(
    tmp_path: Path, data: bytes, code: str, reason: str
) -> None:
    (tmp_path / "a.png").write_bytes(encode(picture(40, 30, seed=1), "PNG"))
    (tmp_path / "a.txt").write_bytes(data)
    (tmp_path / "a.png.txt").write_text("A cat")
    found, (remark,) = listed(tmp_path)
    assert (found["a.png"].captions, found["a.png"].refused_captions) == (["A cat"], [code])
    assert remark.startswith("the captions of 'a.txt' are left out: ")
    assert reason in remark
    reader = FolderSource("folder", "photos", str(tmp_path)).reader()
    row = finish_captions(reader.read(vars(found["a.png"]), Limits())["captions"])
    assert (row["n_captions"], row["caption_languages"]) == (1, "en")
    judged = CaptionJudge(CaptionConfig()).judge(row["captions"])
    assert judged is not None
    assert [c["invalid"] for c in judged] == [None, code]


@pytest.mark.parametrize(
    "text", ["Привет, мир", "«дом» 5°", "café naïve", "שלום", "Ω αβγ", "一只猫", "A cat", "مرحبا", "è"]
)
def test_texts_of_other_languages_are_not_taken_for_misread_ones(text: str) -> None:
    assert decode_text(text.encode()) == text


def test_many_of_one_kind_are_one_remark(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes(b"x")
        (tmp_path / f"{name}.txt").write_bytes(b"x" * ord(name) + b"\xff")
    assert listed(tmp_path)[1] == [
        "the captions of 3 text files are left out, the first 'a.txt': is not utf-8; 'encoding' names another one"
    ]


def test_texts_that_lie_elsewhere_or_are_no_files_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("root:x:0:0")
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.png").write_bytes(b"x")
    (folder / "a.txt").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(folder / "b.txt")
    (folder / "c.txt").symlink_to("inside")
    (folder / "inside").write_text("A cat")
    found, remarks = listed(folder)
    assert {uri: e.captions for uri, e in found.items() if e.captions} == {"c.png": ["A cat"]}
    assert [e.refused_captions for uri, e in found.items() if uri in ("a.png", "b.png")] == [["S3.unreadable"]] * 2
    assert "outside the folder" in remarks[0]
    assert "a pipe" in remarks[1]


def test_an_encoding_that_nobody_knows_is_refused() -> None:
    for name in ("gb99", "base64", "rot13"):
        with pytest.raises(ValueError, match=f"field 'encoding': .*found '{name}'"):
            FolderSource("folder", "photos", "x", encoding=name)
