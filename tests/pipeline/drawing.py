"""Pictures of text for the tests, drawn with Pillow: nothing of ours paints them."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont


@functools.cache
def font(size: int, weight: int = 500) -> ImageFont.FreeTypeFont:
    """Noto Sans SC from the wheel of fonts."""
    spec = importlib.util.find_spec("manimgx_fonts_cjk")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "NotoSansCJK-VF.otf.ttc"
    loaded = ImageFont.truetype(str(path), size, index=2)
    loaded.set_variation_by_axes([weight])
    return loaded


def page(rows: list[tuple[int, int, int, str]], width: int = 560, height: int = 360) -> np.ndarray:
    """A white page with (x, y, size, text) in black."""
    image = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    for x, y, size, text in rows:
        draw.text((x, y), text, font=font(size), fill=(0, 0, 0))
    return np.asarray(image)


def column(text: str, x: int, y: int, size: int, picture: np.ndarray) -> np.ndarray:
    """The picture with a column of upright characters."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for i, character in enumerate(text):
        draw.text((x, y + round(1.15 * size) * i), character, font=font(size), fill=(0, 0, 0))
    return np.asarray(image)


def glyph(character: str, canvas: int = 64, size: int = 48, weight: int = 800) -> np.ndarray:
    """One character in the middle of a small canvas."""
    image = Image.new("RGB", (canvas, canvas), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.text((canvas / 2, canvas / 2), character, font=font(size, weight), fill=(0, 0, 100), anchor="mm")
    return np.asarray(image)
