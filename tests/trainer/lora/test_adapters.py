"""LoRA in the network: what is trained, that merging equals it, that a file goes on, that the start is by seed."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from configs import UserError
from model.lora_files import LORA_FORMS, LoraForm, LoraPair, linear_shapes, read_lora, write_lora
from model.lora_merge import merge_lora
from model.mmdit import MMDiT
from model.quantized import quantize_blocks
from tests.model.reference import SMALL, batch, difference, output_error, run_ours
from trainer.lora.adapters import add_lora, fill_lora, first_lora, lora_state, lora_targets
from trainer.lora.config import LoraConfig

TEXTS, IMAGES = [3, 5], [[(4, 4)], [(2, 4), (2, 2)]]
CONFIG = LoraConfig(rank=3, alpha=6)


def attach(model: MMDiT, config: LoraConfig, seed: int, start: dict[str, LoraPair] | None = None) -> None:
    add_lora(model, config, first_lora(model, config, seed, start))


def base(seed: int = 0) -> MMDiT:
    torch.manual_seed(seed)
    model = MMDiT(SMALL)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model


def trained(config: LoraConfig = CONFIG) -> MMDiT:
    """With adapters that do something."""
    model = base()
    attach(model, config, 0)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn_like(parameter)
    return model


def out(model: MMDiT) -> torch.Tensor:
    torch.manual_seed(2)
    return run_ours(model, batch(SMALL, TEXTS, IMAGES), TEXTS, IMAGES)


def test_attention_and_mlps_are_the_targets_but_what_feeds_nothing() -> None:
    names = set(lora_targets(base(), LoraConfig()))
    block = {n.removeprefix("transformer_blocks.0.") for n in names if n.startswith("transformer_blocks.0.")}
    last = {n.removeprefix("transformer_blocks.1.") for n in names if n.startswith("transformer_blocks.1.")}
    attention = {"to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"}
    mlps = {f"{stream}_mlp.net.{part}" for stream in ("img", "txt") for part in ("0.proj", "2")}
    assert block == {f"attn.{name}" for name in attention} | mlps
    assert block - last == {"attn.add_q_proj", "attn.to_add_out", "txt_mlp.net.0.proj", "txt_mlp.net.2"}
    assert len(names) == len(block) + len(last)


def test_patterns_name_whole_names_or_their_ends() -> None:
    assert set(lora_targets(base(), LoraConfig(targets=("img_in", "*_mod.1"), exclude=("txt_mod.1",)))) == {
        "img_in", "transformer_blocks.0.img_mod.1", "transformer_blocks.1.img_mod.1",
    }  # fmt: skip
    everything = set(lora_targets(base(), LoraConfig(targets=("*",))))
    assert len(everything) == len(linear_shapes(base())) - 4
    for config, message in (
        (LoraConfig(targets=("to_qkv",)), r"field 'lora.targets': 'to_qkv' matches no linear"),
        (LoraConfig(exclude=("to_qkv",)), r"field 'lora.exclude': 'to_qkv' matches no linear"),
        (LoraConfig(targets=("to_q",), exclude=("attn.*",)), "leave no linear"),
    ):
        with pytest.raises(UserError, match=message):
            lora_targets(base(), config)


def test_every_adapter_gets_a_gradient_and_nothing_else_does() -> None:
    model = trained()
    out(model).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (".lora_" in name), name
        assert (parameter.grad is not None and bool(parameter.grad.any())) == parameter.requires_grad, name
        assert not parameter.requires_grad or parameter.dtype == torch.float32


def test_the_start_changes_nothing_and_is_the_seeds() -> None:
    model, again, other = base(), base(), base()
    before = out(model)
    for each, seed in ((model, 0), (again, 0), (other, 1)):
        torch.manual_seed(seed + 7)  # torch's own randomness does not enter
        attach(each, CONFIG, seed)
    assert torch.equal(out(model), before)
    a, b, c = (lora_state(each) for each in (model, again, other))
    assert all(torch.equal(a[n].down, b[n].down) and not torch.equal(a[n].down, c[n].down) for n in a)
    downs = [pair.down[0, :8] for pair in a.values()]
    assert not any(torch.equal(downs[0], other) for other in downs[1:])


def test_merged_equals_injected() -> None:
    model, merged = trained(), base()
    before = out(merged)
    merge_lora(merged, lora_state(model))
    assert difference(out(model), before) > 0.1
    assert difference(out(merged), out(model)) < 1e-6


@pytest.mark.parametrize("form", LORA_FORMS)
def test_a_saved_file_goes_on_as_it_was(tmp_path: Path, form: LoraForm) -> None:
    model, again = trained(), base()
    write_lora(tmp_path / "x.safetensors", lora_state(model), form)
    attach(again, CONFIG, 9, read_lora(tmp_path / "x.safetensors", linear_shapes(again)))
    assert difference(out(again), out(model)) < output_error(SMALL)
    if form == "comfyui":
        assert torch.equal(out(again), out(model))


def test_averages_are_taken_by_name() -> None:
    model = trained()
    averaged = {
        n: torch.full_like(p, 7.0) for n, p in model.named_parameters() if n.endswith("to_q.lora_B.default.weight")
    }
    state = lora_state(model, averaged)
    assert (state["transformer_blocks.0.attn.to_q"].up == 7).all()
    assert (state["transformer_blocks.0.attn.to_k"].up != 7).all()


def test_going_on_wants_the_same_rank_and_layers() -> None:
    state = lora_state(trained())
    first = next(iter(state))
    fewer = {name: pair for name, pair in state.items() if name != first}
    for start, config, message in (
        (state, LoraConfig(rank=4), "field 'lora.rank': is 4, the LoRA to go on from has 3"),
        (fewer, CONFIG, f"lacks '{first}'"),
        (state, LoraConfig(rank=3, exclude=("to_q",)), f"has '{first}'"),
    ):
        with pytest.raises(UserError, match=message):
            attach(base(), config, 0, start)


def test_dead_layers_of_other_trainers_files_are_dropped() -> None:
    state = lora_state(trained())
    dead = "transformer_blocks.1.attn.add_q_proj"
    more = {**state, dead: LoraPair(torch.ones(3, SMALL.dim), torch.ones(SMALL.dim, 3), 3.0)}
    model = base()
    attach(model, CONFIG, 0, more)
    assert torch.equal(out(model), out(trained()))
    assert dead not in lora_state(model)


def test_adapters_on_meta_are_filled_later() -> None:
    with torch.device("meta"):
        model = MMDiT(SMALL)
    attach(model, CONFIG, 0)
    assert all(p.is_meta for p in model.parameters())
    model.to_empty(device="cpu")
    right = lora_state(trained())
    fill_lora(model, right)
    assert all(torch.equal(pair.up, right[name].up) for name, pair in lora_state(model).items())


@pytest.mark.parametrize("kind", ["int8", "fp8"])
def test_adapters_train_on_a_base_in_eight_bits(kind: str) -> None:
    config = LoraConfig(rank=3, alpha=6)
    model = base()
    quantize_blocks(model, kind)  # type: ignore[arg-type]
    plain = copy.deepcopy(model)
    attach(model, config, 0)
    assert torch.equal(out(model), out(plain))
    adapters = [p for p in model.parameters() if p.requires_grad]
    assert {p.dtype for p in adapters} == {torch.float32}
    optimizer = torch.optim.AdamW(adapters, lr=1e-2)
    losses = []
    for _ in range(5):
        loss = out(model).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    again = copy.deepcopy(plain)
    attach(again, config, 5, lora_state(model))
    assert torch.equal(out(again), out(model))
