"""Samples on one sheet, each above the text it should show (grey) and, where that differs, what was read (red)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from configs.files import package_folder

_LABEL = 18  # px under each picture
_GAP = 6
GROUND, GREY, RED = (228, 228, 228), (80, 80, 80), (200, 0, 0)


def draw_sheet(
    pictures: Sequence[np.ndarray], wanted: Sequence[str], read: Sequence[str], exact: Sequence[bool], width: int = 1200
) -> Image.Image:
    """Pictures (H, W, 3) uint8 in rows of at most ``width`` px, in the order given."""
    rows = _rows([p.shape[1] for p in pictures], width)
    heights = [max(pictures[i].shape[0] for i in row) + _LABEL + _GAP for row in rows]
    sheet = Image.new("RGB", (width, sum(heights) + _GAP), GROUND)
    pen, font = ImageDraw.Draw(sheet), _font()
    y = _GAP
    for row, height in zip(rows, heights, strict=True):
        x = _GAP
        for i in row:
            sheet.paste(Image.fromarray(pictures[i]), (x, y))
            text, color = (wanted[i], GREY) if exact[i] else (f"{wanted[i]}→{read[i] or '·'}", RED)
            pen.text((x, y + pictures[i].shape[0] + 1), text, fill=color, font=font)
            x += pictures[i].shape[1] + _GAP
        y += height
    return sheet


def _rows(widths: Sequence[int], limit: int) -> list[list[int]]:
    """Indices in rows whose widths with gaps stay within ``limit``."""
    rows: list[list[int]] = []
    used = 0
    for index, width in enumerate(widths):
        if not rows or used + width + _GAP > limit - _GAP:
            rows.append([])
            used = 0
        rows[-1].append(index)
        used += width + _GAP
    return rows


def _font() -> ImageFont.FreeTypeFont:
    """Noto Sans CJK at 12 px out of the wheel the renderings use too."""
    path = package_folder("manimgx_fonts_cjk", "the font of the labels") / "NotoSansCJK-VF.otf.ttc"
    return ImageFont.truetype(str(path), 12, index=2)
