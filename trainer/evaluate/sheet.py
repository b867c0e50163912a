"""Samples on one sheet, each above the text it should show (gray) and, where that differs, what was read (red)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFont

from configs.contact_sheet import Cell, contact_sheet
from configs.files import package_folder

_LABEL = 18  # px under each picture
_GAP = 6
GROUND, GRAY, RED = (228, 228, 228), (80, 80, 80), (200, 0, 0)


def draw_sheet(
    pictures: Sequence[np.ndarray], wanted: Sequence[str], read: Sequence[str], exact: Sequence[bool], width: int = 1200
) -> Image.Image:
    """Pictures (H, W, 3) uint8 in rows of at most ``width`` px, in the order given."""
    cells = [
        Cell(Image.fromarray(picture), wanted[i], GRAY)
        if exact[i]
        else Cell(Image.fromarray(picture), f"{wanted[i]}→{read[i] or '·'}", RED)
        for i, picture in enumerate(pictures)
    ]
    rows = [[cells[i] for i in row] for row in _rows([p.shape[1] for p in pictures], width)]
    return contact_sheet(rows, _GAP, GROUND, label_height=_LABEL, font=_font(), width=width)


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
