"""Dropout of a LoRA: a sample's mask is its own, wherever and however often it is computed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from model.checkpoint import transformer_config
from model.layout import Padding, make_layout
from model.lora_files import LoraPair, write_lora
from model.mmdit import MMDiT
from tests.model.folders import edit_folder
from tests.model.reference import SMALL
from tests.trainer.lora.test_adapters import CONFIG, attach, base
from tests.trainer.trainers import open_trainer, some_rows
from trainer.config import FitConfig
from trainer.lora.adapters import first_lora
from trainer.lora.config import LoraConfig
from trainer.lora.dropout import DropoutKeys, KeyedDropout, dropout_keys, stream_of
from trainer.monitor.config import SamplesConfig, ValidationConfig
from trainer.monitor.metrics import read_metrics
from trainer.optim.config import OptimizerConfig
from trainer.order.curriculum import Phase, ReferenceConfig, Share
from trainer.parallel.activation import prepare_blocks
from trainer.rng import KeyedRandom
from trainer.start import Start
from trainer.state.config import CheckpointConfig
from trainer.state.folders import checkpoints
from trainer.state.signals import StopRequest

TEXTS, IMAGES = [3, 5, 4], [[(4, 4)], [(2, 4), (2, 2)], [(2, 2), (2, 4), (2, 2)]]
SLOTS = [4, 0, 7]
RNG = KeyedRandom(seed=3, step=9, slots=8)
CPU = torch.device("cpu")
EVERYWHERE = replace(CONFIG, dropout=0.3, targets=("*",))
CHANNELS = (SMALL.in_channels, SMALL.joint_attention_dim)


def with_dropout(zero_cond_t: bool = False) -> MMDiT:
    """Adapters that do something around every linear, those of modulation and time, too."""
    model = base()
    model.config = replace(SMALL, zero_cond_t=zero_cond_t)
    attach(model, EVERYWHERE, 0, _loud(model))
    return model.train()


def _loud(model: MMDiT) -> dict[str, LoraPair]:
    generator = torch.Generator().manual_seed(5)
    lora = first_lora(model, EVERYWHERE, 0)
    return {n: replace(p, up=0.3 * torch.randn(p.up.shape, generator=generator)) for n, p in lora.items()}


def outputs(model: MMDiT, chosen: list[int], padding: Padding | None = None, rng: KeyedRandom = RNG) -> list[Tensor]:
    """What the network makes of the targets of the ``chosen`` samples, which stand together in one micro-batch."""
    inputs = [_inputs(i) for i in chosen]
    layout = make_layout([TEXTS[i] for i in chosen], [IMAGES[i] for i in chosen], padding=padding)
    keys = dropout_keys(model)
    assert keys is not None
    keys.begin(rng, [SLOTS[i] for i in chosen], layout, CPU)
    image, text, sigma = (torch.cat(parts) for parts in zip(*inputs, strict=True))
    out = model(image, text, sigma, layout)[layout.target]
    return list(out.split([IMAGES[i][0][0] * IMAGES[i][0][1] for i in chosen]))


def _inputs(i: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(i)
    tokens = sum(h * w for h, w in IMAGES[i])
    shapes = ((tokens, CHANNELS[0]), (TEXTS[i], CHANNELS[1]), (1,))
    image, text, sigma = (torch.rand(shape, generator=generator) for shape in shapes)
    return image, text, sigma


@pytest.mark.parametrize("zero_cond_t", [False, True])
def test_a_sample_has_the_same_mask_however_the_batch_is_cut(zero_cond_t: bool) -> None:
    model = with_dropout(zero_cond_t)
    whole = outputs(model, [0, 1, 2])
    padded = outputs(model, [2, 0], Padding(samples=4, longest=64))
    cut = [*outputs(model, [1]), padded[0], *outputs(model, [0])]
    for a, b in zip(whole, (cut[2], cut[0], cut[1]), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-5)
    other = outputs(model, [0, 1, 2], rng=replace(RNG, step=10))
    assert not any(torch.allclose(a, b, rtol=1e-2, atol=1e-2) for a, b in zip(whole, other, strict=True))


def test_in_eval_mode_nothing_is_dropped_and_torchs_generator_is_never_asked() -> None:
    model = with_dropout()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    noisy = outputs(model, [0, 1])
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(noisy, outputs(model, [0, 1]), strict=True))
    torch.manual_seed(1)
    outputs(model, [0, 1])
    assert torch.equal(torch.get_rng_state(), before)
    model.eval()
    quiet = outputs(model, [0, 1])
    assert all(torch.equal(a, b) for a, b in zip(quiet, outputs(model, [0, 1], rng=replace(RNG, step=1)), strict=True))
    assert not torch.allclose(quiet[0], noisy[0], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_the_share_is_dropped_evenly_over_rows_and_channels_and_the_mean_stays(p: float) -> None:
    keys = DropoutKeys()
    keys.begin(RNG, [3], make_layout([4], [[(32, 32)]]), CPU)
    first, second = (KeyedDropout(p, f"transformer_blocks.{n}.attn.to_q", keys)(torch.ones(1024, 512)) for n in (0, 1))
    assert first.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)])
    drop = (first == 0).double()
    sigma = (p * (1 - p)) ** 0.5
    assert drop.mean() == pytest.approx(p, abs=5 * sigma / (1024 * 512) ** 0.5)
    assert (drop.mean(dim=0) - p).abs().max() < 6 * sigma / 1024**0.5
    assert (drop.mean(dim=1) - p).abs().max() < 6 * sigma / 512**0.5
    z = (drop - p) / sigma
    rows = (z @ z.T / 512).fill_diagonal_(0)
    assert rows.std() * 512**0.5 == pytest.approx(1, abs=0.05)  # as of rows that know nothing of each other
    assert (z * ((second == 0).double() - p) / sigma).mean().abs() < 5 / (1024 * 512) ** 0.5


@pytest.mark.parametrize("mode", ["selective", "full"])
def test_blocks_that_are_computed_again_drop_the_same(mode: str) -> None:
    found = []
    for recomputed in (False, True):
        model = with_dropout()
        if recomputed:
            prepare_blocks(model, mode, compiled=False)  # type: ignore[arg-type]
        torch.cat(outputs(model, [0, 1])).square().mean().backward()
        found.append([p.grad for p in model.parameters() if p.requires_grad])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))  # type: ignore[arg-type]


def test_layers_compile_to_one_graph_that_drops_the_same() -> None:
    keys, x, graphs = DropoutKeys(), torch.rand(64, 8), []
    keys.begin(RNG, [3], make_layout([4], [[(8, 8)]]), CPU)

    def count(graph: torch.fx.GraphModule, _: object) -> object:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    for number in range(3):
        layer = KeyedDropout(0.5, f"transformer_blocks.{number}.attn.to_q", keys)
        assert torch.equal(torch.compile(layer.forward, backend=count, fullgraph=True)(x), layer(x))
    assert len(graphs) == 1


def test_streams_are_told_by_name() -> None:
    names = {
        "image": ("img_in", "proj_out", "transformer_blocks.0.attn.to_out.0", "transformer_blocks.7.img_mlp.net.2"),
        "text": ("txt_in", "transformer_blocks.0.attn.to_add_out", "transformer_blocks.7.txt_mlp.net.2"),
        "time": ("time_text_embed.timestep_embedder.linear_1", "norm_out.linear", "transformer_blocks.0.txt_mod.1"),
    }
    for stream, those in names.items():
        assert {stream_of(name) for name in those} == {stream}


def config(**more: object) -> FitConfig:
    areas = ReferenceConfig(vae_area=32 * 32, vision_area=56 * 56)
    mixture = (Share("task == 't2i'", 1), Share("task == 'ti2i'", 2), Share("task == 'i2i'", 1))
    phase = Phase("p", 3, (64,), "width > 0", 256, mixture, references=areas)
    settings: dict[str, object] = {
        "model": str(edit_folder()),
        "lora": LoraConfig(rank=2, dropout=0.5),
        "checkpoint": CheckpointConfig(every=1, keep=9),
        "device": "cpu",
        "threads": 1,
    }
    return FitConfig((phase,), **{**settings, **more})  # type: ignore[arg-type]


def start(folder: Path) -> Start:
    """A LoRA that does something, so that dropout does."""
    config = transformer_config(edit_folder())
    with torch.device("meta"):
        model = MMDiT(config)
    generator = torch.Generator().manual_seed(5)
    lora = first_lora(model, LoraConfig(rank=2), 0)
    loud = {n: replace(p, up=torch.randn(p.up.shape, generator=generator)) for n, p in lora.items()}
    write_lora(folder / "start.safetensors", loud, "comfyui")
    return Start(lora=folder / "start.safetensors")


def train(settings: FitConfig, out: Path, data: Path, begin: Start) -> list[dict[str, object]]:
    trainer = open_trainer(settings, out, data, begin)
    out.mkdir(exist_ok=True)
    with StopRequest() as stop:
        trainer.run(stop)
    return read_metrics(out)


def test_a_resumed_training_drops_what_the_undisturbed_one_did_and_so_does_one_cut_finer(
    all_tasks: Path, tmp_path: Path
) -> None:
    begin = start(tmp_path)
    whole = [line["loss"] for line in train(config(), tmp_path / "out", all_tasks, begin)]
    for folder in checkpoints(tmp_path / "out")[1:]:
        shutil.rmtree(folder)
    again = [line["loss"] for line in train(config(), tmp_path / "out", all_tasks, begin)]
    assert again == whole
    cut = train(config(max_micro_batch_tokens=100), tmp_path / "cut", all_tasks, begin)
    assert [line["loss"] for line in cut] == pytest.approx(whole, rel=1e-5)
    without = train(config(lora=LoraConfig(rank=2)), tmp_path / "without", all_tasks, begin)
    assert not any(line["loss"] == pytest.approx(loss, rel=1e-5) for line, loss in zip(without, whole, strict=True))


def test_what_is_measured_and_shown_while_it_trains_has_no_dropout(all_tasks: Path, tmp_path: Path) -> None:
    still = {
        "optimizer": OptimizerConfig(lr=1e-20, ema=None),
        "validation": ValidationConfig(some_rows(all_tasks, 4), samples=4, every=1),
        "samples": SamplesConfig(rows=1, every=1, size=(64, 64), steps=1, cfg=1, reference_area=1024, vision_area=3136),
    }
    shown = []
    for p in (0.5, 0.0):
        out = tmp_path / str(p)
        lines = train(config(lora=LoraConfig(rank=2, dropout=p), **still), out, all_tasks, start(tmp_path))
        losses = {line["validation_loss"] for line in lines}
        assert len(losses) == 1
        shown.append((losses, [(out / "samples" / f"step-{n}.png").read_bytes() for n in range(4)]))
    assert shown[0] == shown[1]
