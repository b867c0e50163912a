"""Advantages within groups, and the clipped objective, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trainer.post.advantage import advantages, clipped


def test_each_group_is_compared_with_itself() -> None:
    found, flat = advantages(np.array([[0.0, 1.0, 0.0, 1.0], [0.5, 0.5, 0.5, 0.5], [0.2, np.nan, 0.4, np.nan]]))
    assert found[0].tolist() == pytest.approx([-1, 1, -1, 1])
    assert found[1].tolist() == [0, 0, 0, 0]  # a group without variance teaches nothing
    assert found[2].tolist() == pytest.approx([-1, 0, 1, 0])  # a picture without a reward neither
    assert flat == 1


def test_all_without_rewards() -> None:
    found, flat = advantages(np.full((2, 3), np.nan))
    assert not found.any()
    assert flat == 2


def test_the_objective_is_clipped_on_the_side_that_gains() -> None:
    ratio = torch.tensor([1.5, 1.5, 0.5, 0.5, 1.0])
    loss, cut = clipped(ratio.log(), torch.tensor([1.0, -1.0, 1.0, -1.0, 2.0]), clip=0.2)
    assert loss.tolist() == pytest.approx([-1.2, 1.5, -0.5, 0.8, -2.0])
    assert cut.tolist() == [True, True, True, True, False]
