"""Counted FLOPs against torch's counter, the golden figures, and what the tables say."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import configs
from model.config import ModelConfig
from model.describe import describe
from model.describe_tables import format_figures
from model.flops import forward_flops
from model.memory import Setting
from model.mmdit import MMDiT, MMDiTConfig
from tests.model.reference import batch, run_theirs

QWEN = MMDiTConfig()


# Forward pass of one sample; the last two by the formula alone.
TERA = {
    "256p": 5.3,
    "640p": 26.9,
    "1024p": 73.1,
    "1328p": 134.8,
    "1664 x 928": 114.6,
    "1024p, Edit": 199.6,
    "1024p, EditPlus, 1 reference": 167.8,
    "1024p, EditPlus, 3 references": 445.9,
}


@pytest.mark.parametrize("zero_cond_t", [False, True])
def test_formula_equals_the_counter_on_diffusers_blocks(zero_cond_t: bool) -> None:
    """The math kernel: no fused attention is counted on a CPU. Input, time and output layers are taken off."""
    from diffusers import QwenImageTransformer2DModel

    config = MMDiTConfig(3, 2, 32, 24, axes_dims_rope=(4, 14, 14), zero_cond_t=zero_cond_t)
    model = QwenImageTransformer2DModel(**dataclasses.asdict(config))
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        run_theirs(model, batch(config, [7], [[(4, 6), (2, 4)]]), [(4, 6), (2, 4)])
    counts = counter.get_flop_counts()
    blocks = sum(sum(c.values()) for name, c in counts.items() if name.split(".")[-2:-1] == ["transformer_blocks"])
    assert blocks == forward_flops(config, 4 * 6 + 2 * 4, 7)


def test_our_last_block_computes_no_text_that_nobody_reads() -> None:
    from model.layout import make_layout

    config, n = MMDiTConfig(2, 2, 32, 24, axes_dims_rope=(4, 14, 14)), 7
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        MMDiT(config)(*batch(config, [n], [[(4, 6)]]), make_layout([n], [[(4, 6)]]))
    counts = counter.get_flop_counts()
    first, last = (sum(counts[f"MMDiT.transformer_blocks.{i}"].values()) for i in (0, 1))
    d = config.dim
    assert first == forward_flops(dataclasses.replace(config, num_layers=1), 24, n)
    assert first - last == 20 * d * d * n + 4 * d * n * (24 + n)  # query, output, MLP; the text's rows of attention


@cache
def figures_of(name: str, *plan: Any) -> dict[str, Any]:
    """Read only: seconds go into a plan of the released model."""
    return describe(configs.load(f"configs/model/{name}.yaml", ModelConfig), *plan)


def test_golden_flops_of_the_released_model() -> None:
    cases = figures_of("qwen-image")["flops"]
    assert {case["name"]: case["forward"] / 1e12 for case in cases} == pytest.approx(
        TERA, abs=0.06
    )  # given to one digit
    assert all(case["training"] == 3 * case["forward"] for case in cases)
    square = cases[2]
    assert square["seconds_at_peak"] == pytest.approx(0.222, abs=5e-4)  # to three
    assert (square["image_tokens"], cases[-1]["image_tokens"]) == (4096, 4 * 4096)


@pytest.mark.parametrize(("name", "transformer"), [("tiny", 5_542_208), ("qwen-image", 20_430_401_088)])
def test_the_parts_add_up(name: str, transformer: int) -> None:
    parameters = figures_of(name)["parameters"]
    assert parameters["transformer"] == transformer
    parts = (
        "modulation of all blocks",
        "attention of all blocks",
        "MLPs of all blocks",
        "input, time and output layers",
    )
    assert sum(parameters[f"  {part}"] for part in parts) == transformer


def setting(gpus: int, **fields: Any) -> Setting:
    return Setting(mode="fsdp" if gpus > 1 else "single", gpus=gpus, **fields)


def test_the_plan_says_what_fits() -> None:
    one, eight, crowded = (figures_of("qwen-image", setting(n), k)["memory"] for n, k in ((1, 1), (8, 1), (8, 4)))
    assert not any(case[way]["fits"] for case in one["cases"] for way in ("none", "selective", "full"))
    assert [case["name"] for case in eight["cases"] if case["none"]["fits"]] == ["256p", "640p"]
    assert all(case["full"]["fits"] for case in eight["cases"])
    assert [case["name"] for case in crowded["cases"] if case["none"]["fits"]] == ["256p"]
    for case in eight["cases"]:
        plan = case["none"]
        assert plan["peak"] == plan["state"] + plan["activations"] + plan["passing"]
        assert case["full"]["peak"] < case["selective"]["peak"] < plan["peak"]
    states = [
        figures_of("qwen-image", setting(8, optimizer=name), 1)["memory"]["cases"][0]["full"]["optimizer"]
        for name in ("adamw", "muon", "adamw8bit", "adafactor")
    ]
    assert 0.6 < states[1] / states[0] < 0.7  # a third of the parameters are modulation
    assert 0.25 < states[2] / states[0] < 0.26
    assert states[3] / states[0] < 0.001


@pytest.mark.parametrize(
    ("plan", "samples"),
    [
        (setting(1), 1),
        (setting(1024, optimizer="muon"), 32),
        (setting(1, optimizer="adafactor", weights="bf16", in_backward=True, average="host", offload_blocks=4), 1),
    ],
)
def test_tables_fit_a_terminal_of_100_columns(plan: Setting, samples: int) -> None:
    for name in ("tiny", "qwen-image"):
        figures = figures_of(name, plan, samples)
        lines = format_figures(figures).splitlines()
        assert max(map(len, lines)) <= 100
    cells = [line.split() for line in lines]
    assert ["transformer", "20,430,401,088"] in cells
    assert ["1024p", "T2I", "4,096", "256", "73.1", "219.4", "221.7", "ms"] in cells
    fits = [case[way]["fits"] for case in figures["memory"]["cases"] for way in ("none", "selective", "full")]
    assert [word == "fits" for row in cells for word in row if word in ("fits", "over")] == fits
