"""Several readers at once, by Ray."""

import numpy as np
import pytest
from PIL import Image

from trainer.evaluate.config import Server
from trainer.evaluate.reading.clean import render
from trainer.evaluate.reading.readers import ReaderSpec
from trainer.evaluate.reading.readings import Readings, ToRead


@pytest.mark.long
def test_two_readers_read_what_one_does(tmp_path):
    jobs = []
    for number, clean in enumerate(render(["国", "B", "7", "山"] * 5, (64, 64))):
        assert clean is not None
        Image.fromarray(np.roll(clean.picture, number // 4, axis=0)).save(tmp_path / f"{number}.png")
        jobs.append(ToRead(tmp_path / f"{number}.png", None, True))
    spec = ReaderSpec("paddle", Server())
    alone = Readings(tmp_path / "one.jsonl", spec, 1).read(jobs, "x")
    assert Readings(tmp_path / "two.jsonl", spec, 2).read(jobs, "x") == alone
    assert [seen.lines for seen in alone[:4]] == [("国",), ("B",), ("7",), ("山",)]
