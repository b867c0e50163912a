"""Counted FLOPs against torch's counter, the report's golden figures, and what the table says."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import configs
from model.config import ModelConfig
from model.describe import describe, format_tables, rows
from model.flops import adamw_memory, forward_flops
from model.mmdit import MMDiT, MMDiTConfig
from tests.model.reference import batch, run_theirs

QWEN = MMDiTConfig()


@pytest.mark.parametrize(
    ("n_image", "n_text", "tera"),
    [
        (256, 128, 5.3),
        (1600, 200, 26.9),
        (4096, 256, 73.1),
        (6889, 256, 134.8),
        (8192, 1450, 199.6),
        (8192, 270, 167.8),
    ],
)
def test_golden_flops_of_the_released_model(n_image: int, n_text: int, tera: float) -> None:
    assert forward_flops(QWEN, n_image, n_text) / 1e12 == pytest.approx(tera, abs=0.06)


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


def test_memory_counts_bytes_of_a_real_training_state() -> None:
    model = MMDiT(MMDiTConfig(2, 2, 32, 24, axes_dims_rope=(4, 14, 14)))
    memory = adamw_memory(model, 4)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    for parameter in trained:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    states = [t for state in optimizer.state.values() for t in state.values() if t.ndim]
    assert memory.weights == sum(p.nbytes for p in model.parameters())
    assert memory.gradients == sum(p.nbytes for p in trained)
    assert memory.optimizer == sum(t.nbytes for t in states)
    assert memory.total == memory.weights + memory.gradients + memory.optimizer


@pytest.mark.parametrize(("name", "transformer"), [("tiny", 9_797_824), ("qwen-image", 20_430_401_088)])
def test_the_table_tells_the_parts(name: str, transformer: int) -> None:
    figures: dict[str, Any] = describe(configs.load(f"configs/model/{name}.yaml", ModelConfig))
    parameters = figures["parameters"]
    assert parameters["transformer"] == transformer
    parts = (
        "modulation of all blocks",
        "attention of all blocks",
        "MLPs of all blocks",
        "input, time and output layers",
    )
    assert sum(parameters[f"  {part}"] for part in parts) == transformer
    text = format_tables(rows(figures))
    assert f"{transformer:,}" in text
    assert "1024p + 256 text" in text
