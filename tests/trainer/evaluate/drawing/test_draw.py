"""Pictures that come out with numbers that are not finite cost themselves alone."""

import numpy as np

from configs import RunFailed
from trainer.evaluate.drawing import draw
from trainer.evaluate.drawing.draw import Artist, Shot


def test_one_bad_picture_is_found_among_others(tmp_path):
    shots = [Shot(tmp_path / f"{n}.png", "sample", "", 16, 16, n, (), "") for n in range(3)]

    def make(chosen):
        if any(shot.seed == 1 for shot in chosen):
            raise RunFailed("not finite")
        return [np.full((16, 16, 3), shot.seed, np.uint8) for shot in chosen]

    shots[1].path.write_bytes(b"of an earlier model")
    artist = Artist.__new__(Artist)  # its model draws nothing here
    assert artist._kept(shots, make) == [shots[1].path]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["0.png", "2.png"]


def test_large_pictures_are_written_after_a_few_and_small_ones_after_many(tmp_path):
    def shots(count, side):
        return [Shot(tmp_path / f"{n}.png", "sample", "", side, side, n, (), "") for n in range(count)]

    assert [len(part.shots) for part in draw._cut(shots(5, 1328))] == [2, 2, 1]
    assert [len(part.shots) for part in draw._cut(shots(70, 64))] == [64, 6]
    assert [len(part.shots) for part in draw._cut(shots(2, 4096))] == [1, 1]
