"""Previews of a recipe: many samples on one picture, with boxes where asked for."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from configs.contact_sheet import Cell, Color, centered, contact_sheet
from synth.sample import Level, Sample

BOX_COLORS: dict[Level, Color] = {
    "glyph": (60, 140, 255),
    "word": (0, 160, 90),
    "line": (255, 120, 0),
    "paragraph": (220, 0, 120),
}
GAP = 8  # px between cells
GROUND: Color = (96, 96, 96)


def preview_sheet(samples: Sequence[Sample], columns: int = 8, boxes: bool = False) -> Image.Image:
    """Samples in rows of ``columns`` at their own size, centered in equal cells."""
    pictures = [with_boxes(s) if boxes else s.image for s in samples]
    size = max(p.width for p in pictures), max(p.height for p in pictures)
    cells = [Cell(centered(picture, size, GROUND)) for picture in pictures]
    return contact_sheet([cells[i : i + columns] for i in range(0, len(cells), columns)], GAP, GROUND)


def with_boxes(sample: Sample) -> Image.Image:
    """The picture with every region outlined, colors by level."""
    picture = sample.image.copy()
    pen = ImageDraw.Draw(picture)
    for region in sample.regions:
        corners = [(region.quad[i], region.quad[i + 1]) for i in (0, 2, 4, 6)]
        pen.polygon(corners, outline=BOX_COLORS[region.level])
    return picture
