"""Contact sheets: many samples on one picture, each under its text, with boxes where asked for."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from synth.sample import Level, Sample

BOX_COLORS: dict[Level, tuple[int, int, int]] = {
    "glyph": (60, 140, 255),
    "word": (0, 160, 90),
    "line": (255, 120, 0),
    "paragraph": (220, 0, 120),
}
GAP = 8  # px between cells


def contact_sheet(samples: Sequence[Sample], columns: int = 8, boxes: bool = False) -> Image.Image:
    """Samples in rows of ``columns`` at their own size, centred in equal cells."""
    pictures = [with_boxes(s) if boxes else s.image for s in samples]
    width, height = max(p.width for p in pictures), max(p.height for p in pictures)
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    sheet = Image.new("RGB", (GAP + columns * (width + GAP), GAP + rows * (height + GAP)), (96, 96, 96))
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        x = GAP + column * (width + GAP) + (width - picture.width) // 2
        y = GAP + row * (height + GAP) + (height - picture.height) // 2
        sheet.paste(picture, (x, y))
    return sheet


def with_boxes(sample: Sample) -> Image.Image:
    """The picture with every region outlined, colours by level."""
    picture = sample.image.copy()
    pen = ImageDraw.Draw(picture)
    for region in sample.regions:
        corners = [(region.quad[i], region.quad[i + 1]) for i in (0, 2, 4, 6)]
        pen.polygon(corners, outline=BOX_COLORS[region.level])
    return picture
