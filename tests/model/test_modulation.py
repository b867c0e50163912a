"""Modulation by row: the value is a gather, the gradient a sum by row."""

from __future__ import annotations

import pytest
import torch

from model.layout import make_layout
from model.modulation import add_gated, by_row, modulate, norm
from tests.tolerance import rounding


@pytest.mark.parametrize("lengths", [[3, 3, 3], [1, 5, 2]])
def test_value_and_gradients_equal_an_index(lengths: list[int]) -> None:
    rows = make_layout(lengths, [[(1, 1)]] * len(lengths)).text_rows
    assert (rows.run is not None) == (len(set(lengths)) == 1)
    leaves = [torch.randn(n, 6, dtype=torch.float64, requires_grad=True) for n in (sum(lengths), 3, 3, 3)]

    def ours(x: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        x = by_row(x, rows)
        return add_gated(x, modulate(x, shift, scale, rows), gate, rows).reshape(-1, 6)

    def plain(x: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        return x + gate[rows.ids] * (norm(x) * (1 + scale[rows.ids]) + shift[rows.ids])

    upstream = torch.randn(sum(lengths), 6, dtype=torch.float64)
    a, b = ours(*leaves), plain(*leaves)
    assert torch.allclose(a, b, rtol=0, atol=rounding(6, float(b.detach().abs().max()), torch.float64))
    for x, y in zip(torch.autograd.grad(a, leaves, upstream), torch.autograd.grad(b, leaves, upstream), strict=True):
        assert torch.allclose(
            x, y, rtol=0, atol=rounding(6 * max(lengths), float(y.abs().max()), torch.float64, layers=3)
        )


def test_references_read_time_zero_only_in_the_layout_for_it() -> None:
    layout = make_layout([1, 1], [[(1, 2), (1, 1)], [(2, 1), (1, 1), (1, 2)]])
    assert layout.image_rows.ids.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert layout.image_rows_zero_cond.ids.tolist() == [0, 0, 2, 1, 1, 2, 2, 2]
    assert layout.target.tolist() == [0, 1, 3, 4]
    assert layout.target_samples.tolist() == [0, 0, 1, 1]
