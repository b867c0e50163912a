"""Per-sample modulation of packed tokens: a token reads its sample's row, the gradient is summed by row.

An index of the table per token would be right too, but its backward is thousands of colliding
atomic adds: slow and not deterministic. Here the sum over tokens is one product with a 0/1 matrix
(R x N), which accumulates in fp32 on every device.

Shape suffixes: N tokens, R rows, D channels; ``T`` = the token axes, either (N,) or, when every
row has ``n`` tokens in order, (R, n), where plain broadcasting does the same faster.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from model.layout import RowIndex


class _Spread(torch.autograd.Function):
    """table (R, D) -> (N, D), gradient reduced by one-hot product."""

    @staticmethod
    def forward(ctx: Any, table_RD: Tensor, ids_N: Tensor) -> Tensor:
        ctx.save_for_backward(ids_N)
        ctx.rows = table_RD.shape[0]
        return table_RD.index_select(0, ids_N)

    @staticmethod
    def backward(ctx: Any, grad_ND: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (ids_N,) = ctx.saved_tensors
        one_hot_RN = torch.arange(ctx.rows, device=ids_N.device)[:, None] == ids_N
        return one_hot_RN.to(grad_ND.dtype) @ grad_ND, None


def by_row(x_ND: Tensor, rows: RowIndex) -> Tensor:
    """(N, D) -> (T, D): the view on which ``spread`` tables broadcast."""
    return x_ND if rows.run is None else x_ND.unflatten(0, (-1, rows.run))


def spread(table_RD: Tensor, rows: RowIndex) -> Tensor:
    """A per-row table made broadcastable against (T, D)."""
    return _Spread.apply(table_RD, rows.ids) if rows.run is None else table_RD.unsqueeze(1)


def norm(x_TD: Tensor) -> Tensor:
    """LayerNorm without affine parameters, eps 1e-6."""
    return F.layer_norm(x_TD, x_TD.shape[-1:], eps=1e-6)


def modulate(x_TD: Tensor, shift_RD: Tensor, scale_RD: Tensor, rows: RowIndex) -> Tensor:
    """norm(x) * (1 + scale) + shift."""
    return torch.addcmul(spread(shift_RD, rows), norm(x_TD), spread(scale_RD + 1, rows))


def add_gated(x_TD: Tensor, y_TD: Tensor, gate_RD: Tensor, rows: RowIndex) -> Tensor:
    """x + gate * y."""
    return torch.addcmul(x_TD, spread(gate_RD, rows), y_TD)
