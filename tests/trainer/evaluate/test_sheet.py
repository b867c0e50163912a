"""A sheet shows every picture, and in red what was misread."""

import numpy as np

from trainer.evaluate.sheet import draw_sheet


def test_sheet_shows_every_picture():
    pictures = [np.full((64, width, 3), 40 * i, np.uint8) for i, width in enumerate((64, 96, 128, 64))]
    sheet = np.asarray(
        draw_sheet(pictures, ["A", "123", "1234", "B"], ["A", "", "1234", "8"], [True, False, True, False], width=240)
    )
    assert sheet.shape[1] == 240
    for i, picture in enumerate(pictures[:3]):
        assert (sheet == 40 * i).all(axis=2).sum() >= picture.shape[0] * picture.shape[1]
    red = (sheet[..., 0] > 150) & (sheet[..., 1] < 60)
    assert red.any()
