"""The sheet of samples: a row for each moment, earliest first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from trainer.monitor.samples import sheet


def test_rows_are_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for step, color in ((100, (0, 0, 250)), (20, (250, 0, 0))):
        Image.new("RGB", (50, 30), color).save(tmp_path / f"step-{step:06d}.png")
    pixels = np.asarray(sheet(tmp_path))
    found = [np.argwhere((pixels == color).all(axis=2)) for color in ((250, 0, 0), (0, 0, 250))]
    assert [len(places) for places in found] == [50 * 30] * 2
    assert found[0][:, 0].max() < found[1][:, 0].min()
    assert (pixels[:, :50] < 255).any()  # the steps
