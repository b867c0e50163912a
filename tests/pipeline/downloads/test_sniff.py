"""Bytes are what they are, whatever they are called."""

from __future__ import annotations

import pytest

from pipeline.downloads.sniff import describe, is_picture
from tests.pipeline.hostile import encode, picture


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000"])
def test_what_is_read_is_known(form: str) -> None:
    assert is_picture(encode(picture(32, 32, seed=1), form)[:64])


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\n <!DOCTYPE HTML><html>", "HTML"),
        (b"\xef\xbb\xbf<html>", "HTML"),
        (b"<svg xmlns=", "SVG"),
        (b"<?xml version=", "XML"),
        (b"%PDF-1.7", "PDF"),
        (b'{"error": 1}', "JSON"),
        (b"RIFF\0\0\0\0WAVE", "bytes that begin with 52 49 46 46"),
        (b"\0\0\0\x20ftypisom", "bytes that begin with 00 00 00 20"),
        (b"GI", "bytes that begin with 47 49"),
        (b"", "nothing"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(head: bytes, name: str) -> None:
    assert not is_picture(head)
    assert describe(head).startswith(name)
