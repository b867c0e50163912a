"""The benchmark of the whole model, without a GPU: at full size on meta, and its own path at small size."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import forked

SCRIPT = "tests.benchmarks.full_model"


def run(*arguments: str) -> tuple[dict[str, Any], list[str]]:
    done = forked.run([SCRIPT, *arguments], "trainer", check=True)
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]), lines


@pytest.mark.parametrize(("plan", "states"), [("adafactor", 0.059), ("adamw8bit", 41.3)])
def test_a_dry_run_goes_through_a_step_of_the_released_size(plan: str, states: float) -> None:
    figures, lines = run("--dry-run", "--plan", plan)
    assert figures["parameters"] == 20_430_401_088
    assert figures["without_gradient"] == []
    assert figures["weights_gb"] == figures["planned_weights_gb"] == 40.861
    assert figures["states_gb"] == figures["planned_states_gb"] == pytest.approx(states, rel=0.01)
    assert any("fits on a card of 80 GB" in line for line in lines)


@pytest.mark.parametrize("options", [("--plan", "adafactor"), ("--plan", "adamw8bit", "--offload-blocks", "2")])
def test_a_tiny_run_learns_its_batch(options: tuple[str, ...]) -> None:
    figures, lines = run("--tiny", "--resolution", "64", "--text", "16", "--steps", "10", *options)
    assert figures["steps"] == 10
    assert figures["falls"]
    assert figures["loss_end"] < 0.7 * figures["loss_start"]
    assert figures["samples_per_s"] > 0
    assert lines[-2].count("|") == 11


def test_without_a_gpu_it_says_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    done = forked.run([SCRIPT], "trainer")
    assert done.returncode == 2
    assert "no GPU is there: --dry-run and --tiny run without one" in done.stderr
