"""Pictures that come out with numbers that are not finite cost themselves alone."""

import numpy as np
import pytest

from configs import RunFailed, UserError
from tests.model.folders import fresh_folder
from trainer.evaluate.base import Subject
from trainer.evaluate.config import Dense as DenseConfig
from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.drawing import draw
from trainer.evaluate.drawing.draw import Artist, Shot
from trainer.evaluate.suites.dense import Dense


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


def test_prompts_are_drawn_whole_up_to_max_tokens(tmp_path):
    """A dense page of 1,500 characters has more tokens than the 512 that the released pipeline cuts at."""
    (item,) = Dense(EvaluateConfig(dense=DenseConfig(1, (1500, 1500)), size=(16, 16))).items()[1:]
    made = set()
    for max_tokens in (8192, 512):
        config = EvaluateConfig(steps=2, max_tokens=max_tokens)
        sampling = draw.Sampling.of(config, Subject(tmp_path, fresh_folder(), "cpu", None))
        (shot,) = draw.shots([item], "sample", tmp_path / str(max_tokens), [()], config, sampling)
        made.add(shot.made)
        if max_tokens == 512:
            with pytest.raises(UserError, match="at most 512 are allowed: shorten it, or raise max_tokens"):
                draw.draw([shot], sampling, 0, "dense")
        else:
            assert draw.draw([shot], sampling, 0, "dense") == []
            assert shot.path.is_file()
    assert len(made) == 1, "a picture is as it was, whatever the limit"
