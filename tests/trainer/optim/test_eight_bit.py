"""Moments in 8 bits: torchao's map and blocks, the nearest value, and no weight thrown away."""

from __future__ import annotations

import pytest
import torch

from trainer.optim.eight_bit import AdamW8bit, Moment, block_size, dequantize, quantize_into, tables

quant_utils = pytest.importorskip("torchao.optim.quant_utils")
SETTINGS = {"lr": 1e-3, "betas": (0.9, 0.95), "weight_decay": 0.01}


@pytest.mark.parametrize("signed", [True, False])
def test_codes_and_scales_are_torchaos(signed):
    wide = torch.randn(8, 1024, generator=torch.Generator().manual_seed(0))
    wide = wide if signed else wide.square()
    codes, scales = torch.empty(8, 1024, dtype=torch.uint8), torch.empty(8, 4)
    moment = Moment(codes, scales, *tables(signed, wide.device))
    quantize_into(moment, wide, least=0 if signed else 1)
    unit, their_scales = quant_utils.scale_tensor(wide, 256)
    qmap = torch.tensor(quant_utils.create_dynamic_map(signed=signed))
    theirs = quant_utils.quantize_8bit_with_qmap(unit, qmap)
    assert torch.equal(scales.flatten(), their_scales)
    assert torch.equal(codes, theirs if signed else theirs.clamp_min(1))
    theirs = quant_utils.dequant_with_qmap(codes, qmap, their_scales)
    assert torch.equal(dequantize(moment), theirs)


def test_a_step_is_torchaos():
    """Its update is made for torch.compile; here it runs operation by operation, so that what goes wrong is an error and not
    the end of the process."""
    from torchao.optim import AdamW8bit as Theirs

    start = torch.randn(16, 1024, generator=torch.Generator().manual_seed(0))
    mine, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    ours = AdamW8bit([{"params": [mine]}], {"a": mine}, eps=1e-8, **SETTINGS)
    them = Theirs([theirs], eps=1e-8, **SETTINGS)
    for step in range(3):
        gradient = torch.randn(16, 1024, generator=torch.Generator().manual_seed(step + 1))
        mine.grad, theirs.grad = gradient.clone(), gradient.clone()
        ours.step()
        with torch.compiler.set_stance("force_eager"):
            them.step()
    # A squared gradient of 2.7e-7 of its block's largest is kept here and 0 there; then their step is up to 1/sqrt(1 -
    # beta2) longer. One in a thousand numbers is so small.
    close = torch.isclose(mine, theirs, rtol=1e-5, atol=1e-6)
    assert close.float().mean() > 0.995
    assert (mine - theirs).abs().max() < 3 * 1e-3 / 0.05**0.5


def test_a_gradient_that_ceases_throws_no_weight_away():
    """The second moment must not become 0 before the first: divided by eps the step would be 1e11."""
    parameter = torch.nn.Parameter(torch.zeros(8, 1024))
    optimizer = AdamW8bit([{"params": [parameter]}], {"a": parameter}, eps=1e-15, **SETTINGS)
    gradient = torch.ones(8, 1024)
    gradient[:, 1::2] = 3e-4  # squared it is below the least value beside a 1
    for step in range(30):
        parameter.grad = gradient.clone() if step < 2 else torch.zeros(8, 1024)
        optimizer.step()
    assert parameter.abs().max() < 30 * 1e-3 * 5  # 30 steps of AdamW, each at most 1 / sqrt(1 - beta2) times the rate


def test_what_is_kept_in_8_bits():
    assert block_size(torch.Size((3072, 3072))) == block_size(torch.Size((3072, 12288))) == 256
    assert block_size(torch.Size((3072, 3584))) == 128  # a quarter of a row: 896
    assert block_size(torch.Size((12288,))) == block_size(torch.Size((8, 64))) == block_size(torch.Size((512, 48))) == 0
    parameter = torch.nn.Parameter(torch.zeros(64, 1024, dtype=torch.bfloat16))
    vector = torch.nn.Parameter(torch.zeros(5000, dtype=torch.bfloat16))
    optimizer = AdamW8bit([{"params": [parameter, vector]}], {"a": parameter, "b": vector}, lr=1.0, eps=1e-8)
    assert {n: (t.shape, t.dtype) for n, t in optimizer.new_state(parameter).items()} == {
        "exp_avg_codes": ((64, 1024), torch.uint8),
        "exp_avg_scales": ((64, 4), torch.float32),
        "exp_avg_sq_codes": ((64, 1024), torch.uint8),
        "exp_avg_sq_scales": ((64, 4), torch.float32),
    }
    assert {t.dtype for t in optimizer.new_state(vector).values()} == {torch.float32}
