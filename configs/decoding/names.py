"""What a file is that is not read, by its first bytes: a reason that says more than eight bytes do."""

from __future__ import annotations

import re

_BRANDS = {
    b"avif": "broken AVIF", b"avis": "broken AVIF", b"crx ": "a Canon CR3 raw",
}  # fmt: skip
"""Brands of the ISO base media format."""

_BEGINNINGS = (
    (b"8BPS", "Photoshop PSD"),
    (b"8BPB", "Photoshop PSB"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"\0\0\1\0", "an icon"),
    (b"\0\0\2\0", "a cursor or TGA"),
    (b"icns", "an icon"),
    (b"DDS ", "DDS"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"qoif", "QOI"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"FUJIFILMCCD-RAW", "a Fujifilm raw"),
    (b"IIRO", "an Olympus raw"),
    (b"IIU\0", "a Panasonic raw"),
    (b"FORM", "IFF"),
    (b"P7\n", "PAM"),
    (b"PF\n", "PFM of colors"),
    (b"gimp xcf", "GIMP XCF"),
    (b"FLIF", "FLIF"),
    (b"BPG\xfb", "BPG"),
    (b"SIMPLE  =", "FITS"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "gzip"),
    (b"Rar!", "a RAR archive"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM video"),
    (b"FLV\1", "Flash video"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)
_MARKUP = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:\?xml|!doctype|html|svg|head|!--)", re.IGNORECASE)


def unread(data: bytes) -> str:
    """One short reason why ``data`` is not read as a picture."""
    name = _name(data)
    return (
        f"{name}: not a format that is read"
        if name
        else f"no picture that Pillow can read (it begins with {data[:8]!r})"
    )


def _name(data: bytes) -> str | None:
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "video (MP4 and its kin)")
    if _MARKUP.match(data[:200]):
        return "SVG" if b"<svg" in data[:2000].lower() else "HTML or XML"
    return next((name for beginning, name in _BEGINNINGS if data.startswith(beginning)), None)
