"""Weights of target tokens: the folder's factor, and a mask that is decoded once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.trainer.data.folders import folder, put
from trainer.data.folder import PictureFolder
from trainer.data.weights import LossWeights
from trainer.tasks.base import TargetKey


def test_a_mask_is_read_once_for_each_crop(tmp_path: Path) -> None:
    folder(tmp_path, a="A.", b="B.")
    put(tmp_path / "a.mask.png", seed=3)
    weights = LossWeights.of_data(PictureFolder.open(tmp_path), outside=0.0)
    read: list[TargetKey] = []

    def of(row: int, keep: tuple[int, int, int, int]) -> np.ndarray | None:
        target = TargetKey(row, (32, 32), keep)

        def mask() -> np.ndarray:
            read.append(target)
            return np.full((32, 32, 3), [[[255]], [[0]]] * 16 if keep[2] else 255, np.uint8)

        found = weights.of(target, 4, mask)
        return None if found is None else found.numpy()

    whole, part = (0, 0, 0, 0), (0, 0, 8, 8)
    first, other = of(0, whole), of(0, part)
    assert first is not None
    assert (first == 1).all()
    for keep in (whole, part, whole):
        assert of(0, keep) is not None
    assert [target.keep for target in read] == [whole, part]
    assert other is not None
    assert of(1, whole) is None
