"""Muon: what the rounds do to singular values, in every form, and that it learns."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from model.precision import cpu_multiplies_bf16
from tests.tolerance import rounding
from trainer.optim import muon
from trainer.optim.muon import ERROR, GENTLE, LOW, NEAREST, Muon, Rounds, orthogonalize

SLOPE = math.prod(a for a, _, _ in NEAREST)
"""Below LOW singular values grow by this factor at most."""


def through(rounds: Rounds, x: Tensor) -> Tensor:
    """What ``rounds`` make of singular values ``x``."""
    for a, b, c in rounds:
        x = a * x + b * x**3 + c * x**5
    return x


def matrix_of(values: Tensor, columns: int) -> Tensor:
    """A random matrix, (rows, columns) with as many rows as ``values``, of these singular values."""
    left, right = torch.randn(len(values), len(values), dtype=torch.float64), torch.randn(columns, len(values)).double()
    return torch.linalg.qr(left)[0] @ torch.diag(values.double()) @ torch.linalg.qr(right)[0].mT


def unit(values: Tensor) -> Tensor:
    """The norm in whose unit the rounds see singular values."""
    return values.double().pow(8).sum().pow(1 / 8)


def test_each_quintic_is_the_nearest_to_one_on_its_interval() -> None:
    """By Chebyshev: of the odd quintics the nearest is the one whose error has its largest size, with signs that
    alternate, at four points: the ends of the interval and two between."""
    low, high, error = LOW, 1.0, 0.0
    for a, b, c in NEAREST:
        between = [math.sqrt((-3 * b + sign * math.sqrt(9 * b * b - 20 * a * c)) / (10 * c)) for sign in (-1, 1)]
        points = torch.tensor([low, *between, high], dtype=torch.float64)
        errors = 1 - through(((a, b, c),), points)
        error = float(errors[0])
        coefficients = 5e-11 * 3 * high**5 + 1e-13  # given to ten digits; an error in ``low`` before is as large
        assert points.diff().min() > 0
        assert errors * torch.tensor([1, -1, 1, -1]) == pytest.approx(
            torch.full((4,), error, dtype=torch.float64), abs=40 * coefficients
        )
        low, high = 1 - error, 1 + error
    assert error == pytest.approx(ERROR, abs=5e-6)  # given to five digits


@pytest.mark.parametrize("columns", [48, 80, 200], ids=["square", "directly", "by the Gram matrix"])
@pytest.mark.parametrize("tall", [False, True])
def test_singular_values_go_where_the_quintics_take_them(columns: int, tall: bool) -> None:
    values = torch.logspace(0, -4, 48, dtype=torch.float64)
    matrix = matrix_of(values, columns)
    matrix = (matrix.mT if tall else matrix).float()
    found = torch.linalg.svdvals(orthogonalize(1e3 * matrix, torch.float32).double())
    seen = values / unit(values)
    assert 0.9 < seen[0] <= 1
    expected = through(NEAREST, seen).sort(descending=True).values
    # twelve products of up to 200 terms, and each round enlarges what is small by up to its slope
    assert (found - expected).abs().max() < rounding(columns, 1 + ERROR, layers=12) * SLOPE
    kept = seen >= LOW
    assert found[: int(kept.sum())].max() < 1 + ERROR + 1e-3
    assert through(NEAREST, seen[kept]).min() > 1 - ERROR - 1e-6
    assert (through(NEAREST, seen[~kept]) <= SLOPE * seen[~kept]).all()


def test_the_published_quintic_takes_values_of_four_decades_near_one() -> None:
    values = torch.linspace(0.02, 1, 4000, dtype=torch.float64)
    after = through(GENTLE, values)
    assert after.min() > 0.66
    assert after.max() < 1.21


@pytest.mark.skipif(not cpu_multiplies_bf16(), reason="this CPU has no kernels for it")
@pytest.mark.parametrize("columns", [64, 256])
def test_in_bfloat16_they_stay_near_one(columns: int) -> None:
    values = torch.logspace(0, -1.5, 64, dtype=torch.float64)
    found = torch.linalg.svdvals(orthogonalize(matrix_of(values, columns).float(), torch.bfloat16).double())
    blur = rounding(1, dtype=torch.bfloat16, layers=12)  # products add up in fp32 and are rounded once
    assert found.min() > 0.66 - blur
    assert found.max() < 1.21 + blur


def test_a_matrix_of_zeros_or_of_one_direction_is_no_special_case() -> None:
    assert not orthogonalize(torch.zeros(3, 8, 8), torch.float32).any()
    one = torch.randn(8, 1) @ torch.randn(1, 40)
    found = torch.linalg.svdvals(orthogonalize(one, torch.float32))
    assert abs(found[0] - 1) < ERROR + 1e-3
    assert found[1] < rounding(40, SLOPE, layers=12)


def test_a_stack_in_parts_is_updated_as_a_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stacks are bounded, because a large model has gigabytes of matrices of one shape."""
    results, sizes = [], []
    for limit in (muon.STACK_BYTES, 2 * 12 * 20 * 4):
        monkeypatch.setattr(muon, "STACK_BYTES", limit)
        torch.manual_seed(0)
        parameters = [torch.nn.Parameter(torch.randn(12, 20)) for _ in range(5)]
        for parameter in parameters:
            parameter.grad = torch.randn(12, 20)

        def watched(matrices: Tensor) -> Tensor:
            sizes.append(len(matrices))
            return orthogonalize(matrices)

        with monkeypatch.context() as patch:
            patch.setattr(muon, "orthogonalize", watched)
            Muon(parameters, lr=0.1).step()
        results.append(torch.stack([p.detach() for p in parameters]))
    assert sizes == [5, 2, 2, 1]
    digits = torch.bfloat16 if cpu_multiplies_bf16() else torch.float32
    assert (results[0] - results[1]).abs().max() <= rounding(20, 0.1, digits, layers=12)


def test_orthogonalize_flattens_singular_values() -> None:
    matrix = torch.randn(24, 60, generator=torch.Generator().manual_seed(0)) @ torch.diag(torch.logspace(-1, 1, 60))
    for wide_or_tall in (matrix, matrix.T):
        values = torch.linalg.svdvals(orthogonalize(wide_or_tall))
        assert values.min() > 0.3
        assert values.max() < 1.4


def test_muon_solves_a_badly_scaled_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(256, 16, generator=generator) @ torch.diag(torch.logspace(-1, 0.5, 16))
    target, weight = torch.randn(8, 16, generator=generator), torch.nn.Parameter(torch.zeros(8, 16))
    optimizer = Muon([weight], lr=0.06)
    first = last = 0.0
    for step in range(200):
        loss = ((inputs @ (weight - target).T) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = 0.06 * (1 - step / 200)
        optimizer.step()
        first, last = first or loss.item(), loss.item()
    assert last < 0.02 * first
