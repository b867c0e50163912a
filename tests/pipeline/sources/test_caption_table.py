"""A table of captions: read strictly, names as they stand first."""

from __future__ import annotations

import contextlib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import UserError
from pipeline.sources.caption_table import CaptionTable


def table(folder: Path, data: str | bytes, name: str = "c.csv", encoding: str = "utf-8") -> CaptionTable:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return CaptionTable(path, "field 'sources.0.captions'", bytes(folder), encoding)


def test_a_name_is_literal_where_such_a_file_is(tmp_path: Path) -> None:
    for name in ("a%20b.png", "a b.png", "c d.png"):
        (tmp_path / name).write_bytes(b"x")
    found = table(tmp_path, "a%20b.png,literal\na b.png,plain\nc%20d.png,escaped\n")
    assert found.take("a%2520b.png") == ["literal"]
    assert found.take("a b.png") == ["plain"]
    assert found.take("c d.png") == ["escaped"]


def test_letters_may_be_composed_otherwise(tmp_path: Path) -> None:
    nfc, nfd = (unicodedata.normalize(form, "café.png") for form in ("NFC", "NFD"))
    (tmp_path / nfd).write_bytes(b"x")
    assert table(tmp_path, f"{nfc}\tA café\n", "c.tsv").take(nfd) == ["A café"]
    (tmp_path / nfc).write_bytes(b"x")
    both = table(tmp_path, f"{nfc}\tcomposed\n{nfd}\tdecomposed\n", "c.tsv")
    assert (both.take(nfc), both.take(nfd)) == (["composed"], ["decomposed"])


def test_other_names_are_left_and_nothing_leaves_the_folder(tmp_path: Path) -> None:
    found = table(tmp_path, "../a%2Fb.png,up\n/etc/pass%77d,root\n%00.png,nul\n")
    assert found.left() == (3, "%2500.png")


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('a.png,"A cat\nb.png,A dog\nc.png,A bird\n', 1),
        ('a.png,A cat\nb.png,"A dog\nc.png,"A bird"\n', 2),
        ('a.png,A cat\nb.png,"A dog\nc.png,A bird\nd.png,A bug"\n', 2),
        ('a.png,"A "cat""\n', 1),
        ('a.png,"A cat" asleep\n', 1),
    ],
)
def test_a_quote_that_is_not_closed_swallows_no_rows(tmp_path: Path, text: str, row: int) -> None:
    with pytest.raises(UserError, match=rf"sources.0.captions.*'.*c.csv' row {row}: quotes do not balance"):
        table(tmp_path, text)


def test_quoted_captions_may_have_commas_quotes_and_lines(tmp_path: Path) -> None:
    found = table(tmp_path, 'a.png,"A ""cat"", asleep\non a mat"\r\nb.png,5" wide,second\r\n')
    assert found.take("a.png") == ['A "cat", asleep\non a mat']
    assert found.take("b.png") == ['5" wide', "second"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a.png,A cat\nb.png,一只狗\n".encode("gb18030"), "row 2 is not utf-8: 'encoding' names another one"),
        ("a.png,A cat\nb.png,一只猫\n".encode("gb18030"), "row 2 is UTF-8 by chance only"),
        (b"\0" * 1000, "row 1 holds NUL characters"),
        ("a.png,A cat\n".encode("utf-16"), "row 1 holds NUL characters"),
        ("a.png,A cat\n".encode("utf-16-le"), "row 1 holds NUL characters"),
        (b",A cat\n", "row 1 has no name of a file: 'A cat'"),
        (b", \n", "row 1 has no name of a file: ''"),
        (b"a.png, \n", "row 1 has no caption: 'a.png'"),
        (b"a.png," + b"x" * (1 << 24), "row 1 is longer than 16,777,216 characters"),
    ],
)
@pytest.mark.parametrize("name", ["c.csv", "c.tsv"])
def test_what_is_no_table_is_named(tmp_path: Path, data: bytes, message: str, name: str) -> None:
    with pytest.raises(UserError, match=message):
        table(tmp_path, data if name == "c.csv" else data.replace(b",", b"\t"), name)


def test_a_table_may_have_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "猫.png").write_bytes(b"x")
    assert table(tmp_path, "猫.png,一只猫\n".encode("gb18030"), encoding="gb18030").take("猫.png") == ["一只猫"]
    assert table(tmp_path, "\ufeff猫.png,一只猫\n").take("猫.png") == ["一只猫"]


def test_a_caption_of_a_megabyte_is_one_caption(tmp_path: Path) -> None:
    assert table(tmp_path, f"a.png,{'word ' * 200_000}\n").take("a.png") == [("word " * 200_000).strip()]


@settings(deadline=None, max_examples=60)  # writes a file each
@given(data=st.binary(max_size=80) | st.text('a.png,"\n\t', max_size=40).map(str.encode), tsv=st.booleans())
def test_any_bytes_are_a_table_or_a_line_that_says_why_not(tmp_path_factory: pytest.TempPathFactory, data, tsv) -> None:
    with contextlib.suppress(UserError):
        count, _ = table(tmp_path_factory.getbasetemp(), data, "c.tsv" if tsv else "c.csv").left()
        assert count <= data.count(b"\n") + data.count(b"\r") + 1
