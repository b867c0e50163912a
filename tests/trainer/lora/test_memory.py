"""The plan of a LoRA training: bytes of the released size, and equality with live tensors at a small one."""

from __future__ import annotations

import pytest
import torch

from model.layout import make_layout
from model.mmdit import MMDiT, MMDiTConfig
from model.quantized import quantize_blocks
from tests.model.reference import SMALL, batch
from tests.model.test_memory import Live, _checkpointed, varlen  # noqa: F401 (a fixture)
from trainer.lora.adapters import add_lora, first_lora
from trainer.lora.config import LoraConfig
from trainer.lora.dropout import dropout_keys
from trainer.lora.memory import LoraMemory, blocks_to_offload, lora_memory, module_bytes
from trainer.rng import KeyedRandom

N_IMAGE, N_TEXT = 64 * 64, 256  # 1,024 x 1,024 px and a long caption
GB = 10**9


def plan(lora: LoraConfig, blocks_on_host: int = 0, config: MMDiTConfig | None = None) -> LoraMemory:
    config = config or MMDiTConfig()
    return lora_memory(config, lora, N_IMAGE, N_TEXT, "full", blocks_on_host, alike=True)


@pytest.mark.parametrize("kind", ["int8", "fp8"])
def test_the_released_model_at_1024_px_fits_48_gb_and_with_offload_24(kind: str) -> None:
    lora = LoraConfig(rank=32, base_dtype=kind)  # type: ignore[arg-type]
    whole = plan(lora)
    assert 20.4 * GB < whole.base < 20.6 * GB  # a byte for each of 20.4e9 weights, and little else
    assert 26.5 * GB < whole.total < 27.5 * GB
    assert 48 * GB - whole.total > 16.6 * GB  # room for the text encoder in bf16 beside it
    count = blocks_to_offload(whole, 22 * GB, 60)  # 2 GB of a card of 24 are CUDA's and the allocator's
    assert count is not None
    assert 10 < count < 25
    offloaded = plan(lora, count)
    assert 21 * GB < offloaded.total <= 22 * GB
    assert offloaded.host == count * offloaded.block
    assert blocks_to_offload(whole, 4 * GB, 60) is None
    assert blocks_to_offload(whole, 48 * GB, 60) == 0


def test_in_bfloat16_the_base_alone_takes_41_gb() -> None:
    assert 40.8 * GB < plan(LoraConfig()).base < 40.9 * GB


@pytest.mark.parametrize("kind", ["fp32", "bf16", "int8"])
def test_base_and_adapters_have_the_bytes_of_real_tensors(kind: str) -> None:
    lora = LoraConfig(rank=3, base_dtype=kind)  # type: ignore[arg-type]
    model = MMDiT(SMALL).to(torch.float32 if kind == "fp32" else torch.bfloat16)
    if kind == "int8":
        quantize_blocks(model, "int8")
    block = module_bytes(model.transformer_blocks[0])
    planned, offloaded = plan(lora, config=SMALL), plan(lora, 1, SMALL)
    assert planned.base == module_bytes(model)
    assert planned.block == block
    assert offloaded.host == block
    assert offloaded.base == planned.base - block + block  # it is fetched when its turn comes
    add_lora(model, lora, first_lora(model, lora, 0))
    assert planned.adapters == sum(p.nbytes for p in model.parameters() if p.requires_grad)
    assert planned.states == 4 * planned.adapters


@pytest.mark.usefixtures("varlen")
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["int8", "bf16"])
def test_the_released_width_peaks_little_above_the_plan(kind: str, dropout: float) -> None:
    """Forward and backward of six blocks on meta, along the code path of CUDA, beside base and adapters.

    Above the plan: gradients on their way through a block, and one weight turned to bfloat16 for its product.
    """
    config = MMDiTConfig(num_layers=6)
    lora = LoraConfig(rank=32, dropout=dropout, base_dtype=kind)  # type: ignore[arg-type]
    with torch.device("meta"):
        model = MMDiT(config).bfloat16()
    if kind == "int8":
        quantize_blocks(model, "int8")
    add_lora(model, lora, first_lora(model, lora, 0))
    for block in model.transformer_blocks:
        block.forward = _checkpointed(block.forward)  # type: ignore[method-assign]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    layout = make_layout([N_TEXT], [[(64, 64)]], "varlen").to("meta")
    keys = dropout_keys(model)
    if keys:
        keys.begin(KeyedRandom(0, 0, 1), [0], layout, torch.device("meta"))
    with Live() as live:
        with torch.device("meta"):
            inputs = batch(config, [N_TEXT], [[(64, 64)]], torch.bfloat16)
        out = model(*inputs, layout)
        out.backward(torch.empty_like(out))
    planned = plan(lora, config=config).activations
    # With dropout the input before it is counted, which is not kept.
    below = 0.07 if dropout else 0.01
    assert -below * planned < live.peak - planned < 2 * (6 * (N_IMAGE + N_TEXT) * config.dim + 6 * config.dim**2)
