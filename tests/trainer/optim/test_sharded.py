"""Plans on FSDP2 and tensor parallel, by gloo: the numbers of one process, and checkpoints for another number of ranks."""

from __future__ import annotations

import pytest
import torch

from tests.trainer.optim.networks import apart
from tests.trainer.optim.ranks import AFTER, train
from trainer.optim.config import OptimizerConfig

pytestmark = pytest.mark.long

CONFIGS = {
    "adamw8bit": OptimizerConfig(plan="adamw8bit", lr=1e-3),
    "adamw": OptimizerConfig(in_backward=True, lr=1e-3),
    "adafactor": OptimizerConfig(plan="adafactor", in_backward=True, lr=1e-3),
    "bf16": OptimizerConfig(plan="adafactor", weights="bf16", in_backward=True, lr=1e-3),
}
# Rounding in another order changes a code of 8 bits now and then, by 1/28 of a step of 1e-3.
ROOM = {"adamw8bit": 5e-3, "adamw": 1e-4, "adafactor": 1e-4}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One process; two ranks of FSDP2; 2 x 2 with tensor parallel; two that resume from two, and two from the four."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        "one": train(folder / "one", CONFIGS, 1),
        "two": train(folder / "two", CONFIGS, 2),
        "four": train(folder / "four", CONFIGS, 4, tp=2),
        "two from two": train(folder / "again", CONFIGS, 2, resume=folder / "two"),
        "two from four": train(folder / "fewer", CONFIGS, 2, resume=folder / "four"),
    }


@pytest.mark.parametrize("plan", ROOM)
@pytest.mark.parametrize("ranks", ["two", "four", "two from four"])
def test_ranks_compute_what_one_process_does(runs, ranks, plan):
    mine, one = runs[ranks][plan], runs["one"][plan]
    assert apart(mine["weights"], one["weights"]) < ROOM[plan]
    assert apart(mine["average"], one["average"]) < ROOM[plan]
    told = one["told"][-len(mine["told"]) :]
    assert torch.tensor(mine["told"]).flatten().tolist() == pytest.approx(
        torch.tensor(told).flatten().tolist(), rel=1e-3
    )


@pytest.mark.parametrize("plan", CONFIGS)
def test_the_same_ranks_resume_bitwise(runs, plan):
    """bf16 weights among them, whose rounding hangs on the seed, the step and the part of the weights alone."""
    mine, undisturbed = runs["two from two"][plan], runs["two"][plan]
    assert mine["told"] == undisturbed["told"][-AFTER:]
    assert apart(mine["weights"], undisturbed["weights"]) == apart(mine["average"], undisturbed["average"]) == 0
