"""A folder is listed whole and in one order, whatever its names and links are."""

from __future__ import annotations

import os
import socket
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import UserError
from configs.pictures import DecodeError, Limits
from pipeline.sources import FolderSource, Refused
from pipeline.sources.files import path_of, uri_of
from pipeline.store.ledger import Entry
from tests.pipeline import hostile


def source(path: Path, **fields: object) -> FolderSource:
    return FolderSource("folder", "photos", str(path), **fields)  # type: ignore[arg-type]


def entries_of(made: FolderSource) -> tuple[list[Entry], list[str]]:
    """All entries, and the remarks."""
    remarks: list[str] = []
    return list(made.entries("sources.0", remarks.append)), remarks


def listed(path: Path, **fields: object) -> dict[str, Entry]:
    return {entry.uri: entry for entry in entries_of(source(path, **fields))[0]}


@given(st.binary(min_size=1).filter(lambda b: b"\0" not in b and b"/" not in b))
def test_a_uri_is_one_line_of_text_and_gives_the_name_back(name: bytes) -> None:
    uri = uri_of(name)
    assert len(uri.splitlines()) == 1
    assert uri.encode()  # no surrogates
    assert all(c.isprintable() or unicodedata.category(c) == "Cn" for c in uri)
    assert path_of(uri) == name


def test_a_uri_is_the_same_in_every_version_of_python() -> None:
    """Python 3.11 knows Unicode 14, 3.12 knows 15; every version carries 3.2, which no longer changes."""
    for text in ("\U0001fae8", "\U0001fae9", "\u0378", "\U000323b0"):  # of Unicode 15, 16, of none, of 15
        assert uri_of(text.encode()) == text
    assert uri_of("\uffff\ufdd0\U0001fffe".encode()) == "%EF%BF%BF%EF%B7%90%F0%9F%BF%BE"
    known = [c for c in map(chr, range(0x110000)) if unicodedata.ucd_3_2_0.category(c) not in ("Cn", "Cs")]
    assert len(known) > 200_000
    assert [c for c in known if (uri_of(c.encode()) == c) != (c.isprintable() and c != "%")] == []


def test_readable_names_stay_readable() -> None:
    assert uri_of("照片/猫 1.jpg".encode()) == "照片/猫 1.jpg"
    assert uri_of(b"caf\xe9.png") == "caf%E9.png"
    assert uri_of(b"100%.png") == "100%25.png"


def test_everything_in_the_folder_is_listed_in_the_order_of_its_bytes(tmp_path: Path) -> None:
    expected = hostile.build(tmp_path)
    entries, remarks = entries_of(source(tmp_path))
    assert [path_of(e.uri) for e in entries] == sorted(expected)
    assert remarks == ["1 link to a folder is not followed: it leads outside or in a circle"]


def test_what_is_no_regular_file_is_listed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in/pipe.jpg")
    (tmp_path / "in/self.jpg").symlink_to("self.jpg")
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "in/out.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "in/here.jpg").write_bytes(b"xy")
    (tmp_path / "in/alias.jpg").symlink_to("here.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "in/socket.jpg"))
    found = {uri: entry.refused for uri, entry in listed(tmp_path / "in").items()}
    assert found == {
        "alias.jpg": None,
        "here.jpg": None,
        "out.jpg": "a link that leads outside the folder; 'follow_links: true' reads it",
        "pipe.jpg": "not a regular file: a pipe",
        "self.jpg": "cannot be read: too many levels of symbolic links",
        "socket.jpg": "not a regular file: a socket",
    }
    assert listed(tmp_path / "in", follow_links=True)["out.jpg"].refused is None


def test_links_to_folders_are_followed_on_request_but_never_in_a_circle(tmp_path: Path) -> None:
    for name in ("store/a.png", "photos/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "photos/store").symlink_to(tmp_path / "store")
    (tmp_path / "store/back").symlink_to(tmp_path / "photos")
    assert set(listed(tmp_path / "photos")) == {"b.png"}
    assert set(listed(tmp_path / "photos", follow_links=True)) == {"b.png", "store/a.png"}


def test_ignored_names_are_no_inputs_and_are_counted(tmp_path: Path) -> None:
    for name in ("a.png", ".DS_Store", ".git/x.png", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    entries, remarks = entries_of(source(tmp_path, ignore=(".*", "*.md")))
    assert [e.uri for e in entries] == ["a.png"]
    assert remarks == ["3 files or folders match 'ignore' and are no inputs"]


def test_captions_come_from_a_table(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    table = tmp_path / "captions.tsv"
    table.write_text("a.png\tA cat\t一只猫\n\nghost.png\tNobody\na.png\tAnother\n", encoding="utf-8")
    entries, remarks = entries_of(source(tmp_path, captions=str(table)))
    assert {e.uri: e.captions for e in entries} == {"a.png": ["A cat", "一只猫", "Another"], "b.png": None}
    assert remarks == ["1 caption belongs to no file, the first to 'ghost.png'"]


def test_captions_come_from_files_beside_the_pictures(tmp_path: Path) -> None:
    for name, text in (("a.png", "x"), ("a.txt", "A cat\n一只猫\n"), ("lonely.txt", "no picture")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = listed(tmp_path, captions=".txt")
    assert {uri: e.captions for uri, e in found.items()} == {"a.png": ["A cat", "一只猫"], "lonely.txt": None}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"path": "nowhere"}, "field 'sources.0.path': expected a folder of pictures; 'nowhere' does not exist"),
        ({"captions": "nowhere.tsv"}, "field 'sources.0.captions'"),
    ],
)
def test_what_is_not_there_is_named_before_any_work(tmp_path: Path, fields: dict[str, str], message: str) -> None:
    made = FolderSource(**{"kind": "folder", "name": "x", "path": str(tmp_path), **fields})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        made.check("sources.0")


def test_a_caption_table_with_an_empty_row_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "c.csv").write_text("a.png,\n")
    with pytest.raises(UserError, match=r"sources.0.captions.*row 1 has no caption: 'a.png'"):
        entries_of(source(tmp_path, captions=str(tmp_path / "c.csv")))


def test_reading_gives_size_and_orientation_or_the_reason(tmp_path: Path) -> None:
    expected = hostile.build(tmp_path)
    reader = source(tmp_path, license="CC0-1.0", domain="nature").reader()
    refused = set()
    for name, expectation in expected.items():
        try:
            row = reader.read({"uri": uri_of(name), "refused": None, "captions": ["Text"]}, Limits())
        except (Refused, DecodeError):
            refused.add(name)
            continue
        if isinstance(expectation, hostile.Readable):
            found = (row["width"], row["height"], row["orientation"])
            assert found == (expectation.width, expectation.height, expectation.orientation), name
        assert (row["license"], row["domain"]) == ("CC0-1.0", "nature")
        assert row["captions"] == [{"text": "Text", "source": "raw"}]
    assert refused == {b"bomb.png", b"dangling.jpg", b"empty.jpg", b"text.jpg", b"truncated-header.jpg"}


def test_a_file_above_the_limit_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(1 << 40)
    reader = source(tmp_path).reader()
    with pytest.raises(Refused, match=r"larger than limits\.max_bytes = 1000"):
        reader.read({"uri": "huge.png", "refused": None, "captions": None}, Limits(max_bytes=1000))
