"""What the first bytes of a download are. The name and the type that a server gives it say nothing."""

from __future__ import annotations

SNIFFED = 64
"""Bytes that are enough to tell."""

_PICTURES = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
    b"\xff\x0a",
    b"\0\0\0\x0cJXL \r\n\x87\n",
    *(b"P%d" % n for n in range(1, 7)),
    b"Pf",
    b"PF",
)
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_OTHERS = ((b"<!doctype html", "HTML"), (b"<html", "HTML"), (b"<svg", "SVG"), (b"<?xml", "XML"), (b"%pdf", "PDF"))


def is_picture(head: bytes) -> bool:
    """Whether bytes that begin so may be a picture; whether it can be read is for its decoder to say."""
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    if head[4:8] == b"ftyp":
        return head[8:12] in _BRANDS
    return head.startswith(_PICTURES)


def describe(head: bytes) -> str:
    """What it looks like instead, for people."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, name in _OTHERS:
        if text.startswith(magic):
            return name
    if text[:1] in b"{[" and text:
        return "JSON"
    return f"bytes that begin with {head[:8].hex(' ')}" if head else "nothing"
