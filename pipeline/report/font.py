"""The font that a page carries: of our own Noto Sans CJK just the glyphs of the characters that stand on it.

    characters of the page ∩ the face's ──HarfBuzz──> a small OpenType font ──fontTools──> WOFF ──> data URI

Without it Chinese captions are boxes wherever no CJK font is installed, as on most servers. Fonts of the reader's
machine come first in style.css; this one is asked only for what they lack.
"""

from __future__ import annotations

import base64
import io
from functools import cache

import uharfbuzz as hb
from fontTools.ttLib import TTFont

from configs.files import package_folder

_FAMILY = "Glyphmill"
_PACKAGE, _FILE, _SIMPLIFIED, _WEIGHT = "manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc", 2, 400
_NOT_SHAPED = ("GSUB", "GPOS", "GDEF", "BASE", "STAT", "VORG", "vhea", "vmtx")
"""Tables of typesetting that captions do without; they would be half of the font."""
_FIRST = 0x2E80
"""From this code point on characters are Chinese, Japanese or Korean, with their punctuation and full-width forms."""


def font_face(characters: frozenset[str]) -> str:
    """A CSS rule that brings the font for those of ``characters`` that need it; empty where none does."""
    foreign = {ord(c) for c in characters if ord(c) >= _FIRST}
    wanted = foreign & set(_face().unicodes) if foreign else foreign
    if not wanted:
        return ""
    data = base64.b64encode(_as_woff(_subset(wanted))).decode()
    return f'@font-face {{ font-family: "{_FAMILY}"; src: url(data:font/woff;base64,{data}) format("woff"); }}'


@cache
def _face() -> hb.Face:
    return hb.Face(hb.Blob.from_file_path(str(package_folder(_PACKAGE, "the font of pages") / _FILE)), _SIMPLIFIED)


def _subset(wanted: set[int]) -> bytes:
    """An OpenType font with the glyphs of these code points, without variations."""
    plan = hb.SubsetInput()
    plan.unicode_set.set(wanted)
    plan.pin_axis_location(_face(), "wght", _WEIGHT)
    plan.drop_table_tag_set.update([int.from_bytes(tag.encode(), "big") for tag in _NOT_SHAPED])
    plan.flags = hb.SubsetFlags.NO_HINTING
    return hb.subset(_face(), plan).blob.data


def _as_woff(font: bytes) -> bytes:
    # only packed, not read: WOFF2 would be a sixth smaller and takes ten seconds for a few thousand glyphs
    packed, out = TTFont(io.BytesIO(font), recalcBBoxes=False, recalcTimestamp=False, lazy=True), io.BytesIO()
    packed.flavor = "woff"
    packed.save(out, reorderTables=False)
    return out.getvalue()
