"""Contact sheets: many samples on one picture, in cells at their own size or scaled into rows of one width.

An edit shows both its pictures, the one before on the left of an arrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from configs.contact_sheet import Cell, Color, centered, contact_sheet
from synth.preview_labels import labelled
from synth.sample import Level, Sample

_BOX_COLORS: dict[Level, Color] = {
    "glyph": (60, 140, 255),
    "word": (0, 160, 90),
    "line": (255, 120, 0),
    "paragraph": (220, 0, 120),
}
GAP = 8  # px between cells
ARROW = 20  # px between the two pictures of an edit
BEHIND: Color = (96, 96, 96)  # sRGB of the sheet


def preview_sheet(
    samples: Sequence[Sample], columns: int = 8, boxes: bool = False, labels: bool = False
) -> Image.Image:
    """Samples in rows of ``columns`` at their own size, centered in equal cells; ``labels``: what is said under each."""
    pictures = [_picture(sample, boxes) for sample in samples]
    if labels:
        pictures = [labelled(picture, sample, BEHIND) for picture, sample in zip(pictures, samples, strict=True)]
    size = max(p.width for p in pictures), max(p.height for p in pictures)
    cells = [Cell(centered(picture, size, BEHIND)) for picture in pictures]
    return contact_sheet([cells[i : i + columns] for i in range(0, len(cells), columns)], GAP, BEHIND)


def filled_sheet(samples: Sequence[Sample], width: int, columns: int = 8, boxes: bool = False) -> Image.Image:
    """Samples scaled into rows that fill ``width`` px, about as high as ``columns`` square pictures in a row would be."""
    pictures = [_picture(sample, boxes) for sample in samples]
    rows = _rows([picture.width / picture.height for picture in pictures], width, width / columns)
    sheet = Image.new("RGB", (width, GAP + sum(_height(row, width) + GAP for row in rows)), BEHIND)
    left, y = iter(pictures), GAP
    for row in rows:
        height, edge, total = _height(row, width), GAP, 0.0
        for place, (aspect, picture) in enumerate(zip(row, left, strict=False)):
            total += aspect
            end = round((width - (len(row) + 1) * GAP) * total / sum(row)) + (place + 1) * GAP
            sheet.paste(picture.resize((end - edge, height), Image.Resampling.LANCZOS), (edge, y))
            edge = end + GAP
        y += height + GAP
    return sheet


def _height(row: Sequence[float], width: int) -> int:
    """Px of a row of pictures with these aspect ratios that fills ``width`` px."""
    return max(1, round((width - (len(row) + 1) * GAP) / sum(row)))


def _rows(aspects: Sequence[float], width: int, height: float) -> list[list[float]]:
    """Aspect ratios cut into rows whose heights together deviate least from ``height`` px (in squares of logarithms)."""
    best: list[tuple[float, int]] = [(0.0, 0)]  # cost of the rows up to here, where the last of them begins
    for end in range(1, len(aspects) + 1):
        starts = range(max(0, end - 24), end)
        costs = [
            (best[start][0] + math.log(_height(aspects[start:end], width) / height) ** 2, start) for start in starts
        ]
        best.append(min(costs))
    rows, end = [], len(aspects)
    while end:
        start = best[end][1]
        rows.append(list(aspects[start:end]))
        end = start
    return rows[::-1]


def _picture(sample: Sample, boxes: bool) -> Image.Image:
    """The sample's picture, with boxes where asked for; of an edit both pictures with an arrow between them."""
    after = _with_boxes(sample) if boxes else sample.image
    if sample.reference is None:
        return after
    before, (width, height) = sample.reference, after.size
    pair = Image.new("RGB", (before.width + ARROW + width, height), BEHIND)
    pair.paste(before, (0, 0))
    pair.paste(after, (before.width + ARROW, 0))
    x, y = before.width + 4, height / 2
    ImageDraw.Draw(pair).polygon([(x, y - 8), (x + ARROW - 8, y), (x, y + 8)], fill=(255, 255, 255))
    return pair


def _with_boxes(sample: Sample) -> Image.Image:
    """The picture with every region outlined, colors by level."""
    picture = sample.image.copy()
    pen = ImageDraw.Draw(picture)
    for region in sample.regions:
        corners = [(region.quad[i], region.quad[i + 1]) for i in (0, 2, 4, 6)]
        pen.polygon(corners, outline=_BOX_COLORS[region.level])
    return picture
