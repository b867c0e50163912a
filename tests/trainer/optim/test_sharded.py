"""Plans on FSDP2 and tensor parallel, by gloo: the numbers of one process, and checkpoints for another number of ranks."""

from __future__ import annotations

import pytest
import torch

from tests.trainer.optim.networks import apart
from tests.trainer.optim.ranks import AFTER, train
from trainer.optim.config import OptimizerConfig

CASES = {
    # Rounding in another order changes a code of 8 bits now and then, by 1/28 of a step of 1e-3.
    "adamw8bit": (OptimizerConfig(plan="adamw8bit", lr=1e-3), 5e-3),
    "adamw in the backward pass": (OptimizerConfig(in_backward=True, lr=1e-3), 1e-4),
    "adafactor in the backward pass": (OptimizerConfig(plan="adafactor", in_backward=True, lr=1e-3), 1e-4),
}


@pytest.mark.parametrize("case", CASES)
def test_ranks_compute_what_one_process_does_and_resume_on_another_number(case, tmp_path):
    """Two ranks of FSDP2, then 2 x 2 with tensor parallel, whose checkpoint two ranks go on from."""
    config, room = CASES[case]
    one = train(tmp_path, "one", config, 1)
    two = train(tmp_path, "two", config, 2)
    four = train(tmp_path, "four", config, 4, tp=2)
    again = train(tmp_path, "again", config, 2, resume=tmp_path / "four")
    for other in (two, four, again):
        assert apart(other["weights"], one["weights"]) < room
        assert apart(other["average"], one["average"]) < room
        assert torch.tensor(other["told"]) == pytest.approx(torch.tensor(one["told"][-len(other["told"]) :]), rel=1e-3)
    assert len(again["told"]) == AFTER


def test_bf16_weights_resume_bitwise_on_the_same_ranks(tmp_path):
    config = OptimizerConfig(plan="adafactor", weights="bf16", in_backward=True, lr=1e-3)
    two = train(tmp_path, "two", config, 2)
    again = train(tmp_path, "again", config, 2, resume=tmp_path / "two")
    assert again["told"] == two["told"][-AFTER:]
    assert apart(again["weights"], two["weights"]) == apart(again["average"], two["average"]) == 0
