"""The plan of a LoRA training: bytes of the released size, and equality with live tensors at a small one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from model.memory import activation_bytes
from model.mmdit import MMDiT, MMDiTConfig
from model.quantized import quantize_blocks
from tests.model.reference import SMALL, batch, run_ours
from trainer.lora.adapters import add_lora, first_lora
from trainer.lora.config import LoraConfig
from trainer.lora.memory import LoraMemory, blocks_to_offload, lora_memory, module_bytes

N_IMAGE, N_TEXT = 64 * 64, 256  # 1,024 x 1,024 px and a long caption
GB = 10**9


def plan(lora: LoraConfig, blocks_on_host: int = 0, config: MMDiTConfig | None = None) -> LoraMemory:
    config = config or MMDiTConfig()
    activations = activation_bytes(config, N_IMAGE, N_TEXT, checkpoint=True, alike=True)
    return lora_memory(config, lora, N_IMAGE, N_TEXT, activations, blocks_on_host)


@pytest.mark.parametrize("kind", ["int8", "fp8"])
def test_the_released_model_at_1024_px_fits_48_gb_and_with_offload_24(kind: str) -> None:
    lora = LoraConfig(rank=32, base_dtype=kind)  # type: ignore[arg-type]
    whole = plan(lora)
    assert 20.4 * GB < whole.base < 20.6 * GB  # a byte for each of 20.4e9 weights, and little else
    assert 27 * GB < whole.total < 28 * GB
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


def test_a_block_keeps_no_more_than_planned() -> None:
    """Bytes that autograd saves in one block beside parameters, in bf16 by autocast, against the plan's upper bound."""
    config = replace(SMALL, num_layers=1)
    lora = LoraConfig(rank=3, targets=("transformer_blocks.0.attn.to_*", "transformer_blocks.0.img_mlp.*"))
    texts, images = [5], [[(8, 8)]]
    model = MMDiT(config).bfloat16()
    add_lora(model, lora, first_lora(model, lora, 0))
    own = {p.untyped_storage().data_ptr() for p in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    image, text, sigma = batch(config, texts, images)
    with torch.autocast("cpu", torch.bfloat16), saved_tensors_hooks(pack, lambda tensor: tensor):
        out = run_ours(model, (image.bfloat16(), text.bfloat16(), sigma), texts, images)
    weights = sum(2 * p.numel() for p in model.parameters() if p.requires_grad)  # autocast's copies of the adapters
    plain = activation_bytes(config, 64, 5, checkpoint=True, alike=True)
    planned = lora_memory(config, lora, 64, 5, plain).activations
    assert out.requires_grad
    assert plain * 0.5 < sum(kept.values()) - weights < planned * 1.05
