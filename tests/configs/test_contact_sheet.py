"""Every picture of a sheet is on it, at its own size and where the layout says."""

from __future__ import annotations

import numpy as np
from PIL import Image

from configs.contact_sheet import Cell, centered, contact_sheet


def test_rows_titles_and_labels_keep_their_places() -> None:
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    cells = [Cell(Image.new("RGB", (20 + 10 * i, 30), color), "words") for i, color in enumerate(colors)]
    sheet = contact_sheet(
        [cells[:2], cells[2:]], 4, (255, 255, 255), titles=["1", "2"], title_width=40, label_height=12
    )
    assert sheet.size == (40 + 24 + 34, 4 + 2 * (30 + 12 + 4))
    pixels = np.asarray(sheet)
    for color, (x, y, width) in zip(colors, [(40, 4, 20), (64, 4, 30), (40, 50, 40)], strict=True):
        assert (pixels[y : y + 30, x : x + width] == color).all()
        assert (pixels == color).all(axis=2).sum() == 30 * width
    assert (pixels[34:46, 40:60] < 255).any()  # the label
    assert (pixels[4:46, :40] < 255).any()  # the title


def test_a_sheet_without_words_is_at_least_as_wide_as_asked_for() -> None:
    cell = Cell(centered(Image.new("RGB", (2, 4), (9, 9, 9)), (6, 8), (0, 0, 0)))
    assert contact_sheet([[cell, cell]], 5, (0, 0, 0)).size == (27, 18)
    sheet = contact_sheet([[cell, cell]], 5, (0, 0, 0), width=100)
    assert sheet.size == (100, 18)
    assert (np.asarray(sheet)[7:11, 7:9] == 9).all()
    assert np.asarray(sheet).sum() == 2 * 2 * 4 * 27
