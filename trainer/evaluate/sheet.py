"""Samples on one sheet, each above the text it should show (gray) and, where that differs, what was read (red)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFont

from configs.contact_sheet import Cell, contact_sheet
from configs.files import package_folder
from trainer.evaluate.base import Suite
from trainer.evaluate.reading.readings import load
from trainer.evaluate.suite_run import Judgement

_LABEL = 18  # px under each picture
_GAP = 6
_MOST = 200  # pictures on a sheet; chosen
_EDGE = 256  # px of the longer side of one; chosen
_LABELED = 20  # characters of a text; chosen
GROUND, GRAY, RED = (228, 228, 228), (80, 80, 80), (200, 0, 0)


def suite_sheet(suite: Suite, rows: Sequence[Judgement]) -> Image.Image | None:
    """The first pictures of a suite; under one that was not read its score. None where it has no pictures."""
    shown = [j for j in rows if j.path is not None][:_MOST]
    if not shown:
        return None
    pictures = [_small(load(j.path)) for j in shown if j.path]
    hits = [j.judged.get(suite.main, (0.0, 0.0)) for j in shown]
    if not suite.reads:
        scores = [f"{n / d:.3f}" if d else "–" for n, d in hits]
        return draw_sheet(pictures, scores, scores, [True] * len(shown))
    wanted, read = ([_short(t) for t in texts] for texts in ([j.item.text for j in shown], [_read(j) for j in shown]))
    return draw_sheet(pictures, wanted, read, [n == d for n, d in hits])


def _read(judgement: Judgement) -> str:
    return " ".join(judgement.lines or ())


def _short(text: str) -> str:
    flat = text.replace("\n", " ")
    return flat if len(flat) <= _LABELED else flat[:_LABELED] + "…"


def _small(picture: np.ndarray) -> np.ndarray:
    image = Image.fromarray(picture)
    image.thumbnail((_EDGE, _EDGE), Image.Resampling.LANCZOS)
    return np.asarray(image)


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
