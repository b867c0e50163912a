"""Weights in bf16, multiplied in what the CPU has kernels for."""

import torch

from tests.model.reference import difference
from tests.trainer.optim.networks import batches, layout, network
from trainer.optim.weights import store_in_bf16


def test_a_cpu_without_bf16_kernels_multiplies_in_fp32(poor):
    wide, narrow = network().bfloat16().float(), network()
    assert store_in_bf16(narrow, "cpu") == torch.float32
    (inputs, target), *_ = batches(1)
    outputs = [model(*inputs, layout()) for model in (wide, narrow)]
    assert outputs[1].dtype == torch.float32
    # The sinusoids of the time take the weights' dtype (model/mmdit.py): each off by up to 2^-9. Nothing else may be.
    assert difference(outputs[1], outputs[0]) < 2**-9
    for out in outputs:
        (out - target).square().mean().backward()
    theirs = dict(wide.named_parameters())
    for name, parameter in narrow.named_parameters():
        assert parameter.dtype == torch.bfloat16
        if parameter.requires_grad:
            assert parameter.grad.dtype == torch.bfloat16
            gradient = theirs[name].grad
            assert (parameter.grad.float() - gradient).norm() <= 0.01 * gradient.norm() + 1e-6, name
