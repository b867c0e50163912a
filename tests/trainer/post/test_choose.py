"""Which pictures become a pair, and what a read text is worth."""

from __future__ import annotations

import pytest

from trainer.post.choose import best_and_worst
from trainer.post.rewards import read_share


@pytest.mark.parametrize(
    ("scores", "margin", "pairs"),
    [
        ([0.2, 0.9, 0.0, 0.9], 0.1, [(1, 2)]),  # the first of equal ones
        ([0.5, 0.5, 0.5], 0.0, []),  # ties teach nothing
        ([0.5, 0.6], 0.2, []),
        ([0.4, None, 0.8], 0.4, [(2, 0)]),
        ([None, 0.8], 0.0, []),
        ([], 0.0, []),
    ],
)
def test_best_and_worst(scores: list[float | None], margin: float, pairs: list[tuple[int, int]]) -> None:
    assert best_and_worst(scores, margin) == pairs


@pytest.mark.parametrize(
    ("scores", "most", "pairs"),
    [
        ([0.2, 0.9, 0.0, 0.8], 2, [(1, 2), (3, 0)]),
        ([0.2, 0.9, 0.0, 0.8], 1, [(1, 2)]),
        ([1.0, 1.0, 0.0, 1.0, 1.0], 2, [(0, 2)]),  # a second pair would be of equal ones
        ([1.0, 0.0, None, 0.0, 1.0, 0.5], 9, [(0, 1), (4, 3)]),  # and none is paired with itself
    ],
)
def test_several_pairs_share_no_picture(scores: list[float | None], most: int, pairs: list[tuple[int, int]]) -> None:
    assert best_and_worst(scores, 0.3, most) == pairs


@pytest.mark.parametrize(
    ("wanted", "read", "share"),
    [
        ("STOP", "STOP", 1.0),
        ("STOP", "S T O P", 1.0),
        ("STOP", "stop", 0.0),
        ("STOP", "STO", 0.75),
        ("STOP", "STOPP", 0.75),  # surplus costs as much as what is missing
        ("STOP", "STOPSTOPSTOP", 0.0),
        ("火山", "火", 0.5),
        ("山", "", 0.0),
        ("４２", "42", 1.0),
    ],
)
def test_surplus_gains_nothing(wanted: str, read: str, share: float) -> None:
    assert read_share(wanted, read) == pytest.approx(share)
