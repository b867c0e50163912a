"""Many pictures on one: rows of pictures at their own size, with a title before a row or a label under a picture.

title │ ┌──────┐ ┌───┐
      │ │      │ │   │        previews of synthesis, samples over training, evaluation
      │ └──────┘ └───┘
      │  label    label
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
_BLACK: Color = (0, 0, 0)


@dataclass(frozen=True)
class Cell:
    """A picture and the words under it."""

    picture: Image.Image
    label: str = ""
    color: Color = _BLACK


def contact_sheet(
    rows: Sequence[Sequence[Cell]],
    gap: int,
    ground: Color,
    titles: Sequence[str] = (),
    title_width: int = 0,
    label_height: int = 0,
    font: ImageFont.FreeTypeFont | None = None,
    width: int = 0,
) -> Image.Image:
    """``rows`` under each other, ``gap`` px around every picture. Sizes are in px.

    ``titles``: one for each row, in a column of ``title_width``. ``label_height``: what a line under each picture
    takes. ``width``: of the sheet at least.
    """
    left = title_width or gap
    heights = [max(cell.picture.height for cell in row) + label_height + gap for row in rows]
    widths = [left + sum(cell.picture.width + gap for cell in row) for row in rows]
    sheet = Image.new("RGB", (max(width, *widths), gap + sum(heights)), ground)
    pen, y = ImageDraw.Draw(sheet), gap
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        if titles:
            pen.text((4, y + height // 2 - 5), titles[number], fill=_BLACK, font=font)
        x = left
        for cell in row:
            sheet.paste(cell.picture, (x, y))
            if cell.label:
                pen.text((x, y + cell.picture.height + 1), cell.label, fill=cell.color, font=font)
            x += cell.picture.width + gap
        y += height
    return sheet


def centered(picture: Image.Image, size: tuple[int, int], ground: Color) -> Image.Image:
    """The picture in the middle of a larger one of ``size``."""
    whole = Image.new("RGB", size, ground)
    whole.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return whole
