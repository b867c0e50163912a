"""The sheet of samples: a row for each moment, earliest first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.monitor.examples import Example
from trainer.monitor.samples import save_samples, sheet


def test_rows_are_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for step, color in ((100, (0, 0, 250)), (20, (250, 0, 0))):
        Image.new("RGB", (50, 30), color).save(tmp_path / f"step-{step:06d}.png")
    pixels = np.asarray(sheet(tmp_path))
    found = [np.argwhere((pixels == color).all(axis=2)) for color in ((250, 0, 0), (0, 0, 250))]
    assert [len(places) for places in found] == [50 * 30] * 2
    assert found[0][:, 0].max() < found[1][:, 0].min()
    assert (pixels[:, :50] < 255).any()  # the steps


def test_a_damaged_picture_is_told_and_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown, pictures = [Example("x", (32, 32), (), None)], [Image.new("RGB", (32, 32), "red")]
    save_samples(tmp_path, 0, pictures, shown)
    first = tmp_path / "samples" / "step-0.png"
    first.write_bytes(first.read_bytes()[:40])
    Image.new("RGB", (8, 8)).save(tmp_path / "samples" / "step-old.png")
    (tmp_path / "samples" / "step-7.png").mkdir()
    save_samples(tmp_path, 10, pictures, shown)
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(": cannot be read")[0] for line in sorted(told)] == [
        str(tmp_path / "samples" / name) for name in ("step-0.png", "step-7.png")
    ]
    with Image.open(tmp_path / "samples.png") as made:
        assert made.height == sheet(tmp_path / "samples").height < 2 * 32
    assert sorted(p.name for p in tmp_path.iterdir()) == ["samples", "samples.png"]
