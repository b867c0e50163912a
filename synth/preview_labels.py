"""What stands under a sample on a contact sheet: its index, language, size, and what is said of it."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from configs.contact_sheet import Color
from configs.files import package_folder
from synth.language import is_han
from synth.sample import Sample

_SIZE = 12  # px of the letters
_LINE = 15  # px from line to line
_MIN_WIDTH = 240  # px: a caption under a tiny picture takes this much
_MAX_LINES = 12
_INK, _PALE = (235, 235, 235), (180, 200, 255)  # sRGB, on a dark sheet


def labelled(picture: Image.Image, sample: Sample, ground: Color) -> Image.Image:
    """The picture with what is known of the sample under it, as wide as the picture or 240 px."""
    width = max(picture.width, _MIN_WIDTH)
    lines = [_facts(sample), *_wrapped(_said(sample), width)]
    whole = Image.new("RGB", (width, picture.height + _LINE * len(lines) + 4), ground)
    whole.paste(picture, ((width - picture.width) // 2, 0))
    pen = ImageDraw.Draw(whole)
    for number, line in enumerate(lines):
        pen.text((0, picture.height + 2 + _LINE * number), line, _PALE if number == 0 else _INK, _font())
    return whole


def _facts(sample: Sample) -> str:
    """Recipe and index, the text's language, the picture's size, the family or medium it shows."""
    w, h = sample.image.size
    facts = (f"{sample.recipe} #{sample.index}", sample.text_language, f"{w} x {h}", sample.medium)
    return "  ".join(filter(None, facts))


def _said(sample: Sample) -> str:
    return " | ".join(caption.text for caption in (*sample.captions, *sample.instructions))


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most ``width`` px, with an ellipsis where it is too long for the sheet."""
    lines, line = [], ""
    for piece in _pieces(" ".join(text.split())):
        if line and _font().getlength(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    lines.append(line.rstrip())
    return lines if len(lines) <= _MAX_LINES else [*lines[: _MAX_LINES - 1], f"{lines[_MAX_LINES - 1][:-1]}…"]


def _pieces(text: str) -> list[str]:
    """Words with the space behind them, Chinese characters one by one."""
    found = [""]
    for character in text:
        if found[-1] and (is_han(character) or is_han(found[-1][-1]) or found[-1].endswith(" ")):
            found.append("")
        found[-1] += character
    return found


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    path = package_folder("manimgx_fonts_cjk", "preview") / "NotoSansCJK-VF.otf.ttc"
    font = ImageFont.truetype(str(path), _SIZE, index=2)
    font.set_variation_by_axes([400])
    return font
