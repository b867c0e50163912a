"""The loss of DPO, by hand, and the order of its pairs."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from trainer.post.preference import preference
from trainer.post.turns import rows_of


def test_by_hand() -> None:
    policy, reference = torch.tensor([0.1, 0.3, 0.5, 0.3]), torch.tensor([0.2, 0.3, 0.4, 0.3])
    found = preference(policy, reference, beta=10.0)
    # D_policy = 0.1 - 0.5 and 0.3 - 0.3; D_reference = 0.2 - 0.4 and 0.3 - 0.3
    assert found.margin.tolist() == pytest.approx([0.2, 0.0])
    assert found.loss.tolist() == pytest.approx([math.log1p(math.exp(-2.0)), math.log(2.0)], rel=1e-5)


def test_the_gradient_favors_the_chosen_picture() -> None:
    policy = torch.tensor([0.4, 0.4], requires_grad=True)
    preference(policy, torch.tensor([0.4, 0.4]), beta=1000.0).loss.sum().backward()
    assert policy.grad is not None
    assert policy.grad.tolist() == pytest.approx([500.0, -500.0])  # beta * sigmoid(0), with either sign


@pytest.mark.parametrize(("count", "batch"), [(10, 4), (3, 8), (1, 5), (16, 16)])
def test_every_pair_comes_once_before_any_comes_again(count: int, batch: int) -> None:
    steps = 12 * count
    taken = np.concatenate([rows_of(step, count, batch, seed=3) for step in range(steps)])
    rounds = taken[: len(taken) // count * count].reshape(-1, count)
    assert all(sorted(r.tolist()) == list(range(count)) for r in rounds)
    assert len(Counter(map(tuple, rounds.tolist()))) > 1 or count == 1
    assert rows_of(5, count, batch, seed=3).tolist() == taken[5 * batch : 6 * batch].tolist()
