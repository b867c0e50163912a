"""Combinations of optimizer fields that cannot work are refused by name."""

import pytest

from trainer.optim.config import OptimizerConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"plan": "adamw8bit"}, "'plan': kind muon .* needs 'adamw'; found 'adamw8bit'"),
        ({"weights": "bf16"}, "'weights': kind muon .* needs 'fp32'"),
        ({"in_backward": True}, "'in_backward': kind muon .* needs False"),
        ({"offload_blocks": 3}, "'offload_blocks': kind muon .* needs 0; found 3"),
    ],
)
def test_muon_goes_with_nothing_else(fields, message):
    with pytest.raises(ValueError, match=message):
        OptimizerConfig(kind="muon", **fields)


@pytest.mark.parametrize(("field", "value"), [("offload_blocks", -1), ("ema", 1.0), ("lr", 0.0)])
def test_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=field):
        OptimizerConfig(**{field: value})


@pytest.mark.parametrize("ema", [None, 0, 0.0])
def test_no_average(ema):
    assert not OptimizerConfig(ema=ema).ema
