"""Full-parameter steps of the whole 20B model on one GPU: samples/s, MFU, peak memory, falling loss.

    python tests/benchmarks/full_model.py --plan adafactor --resolution 1024      one 80 GB H100
    python tests/benchmarks/full_model.py --plan adamw8bit --resolution 512       one 141 GB H200
    python tests/benchmarks/full_model.py --plan adamw8bit --offload-blocks 30    one 80 GB H100, states on the host

Random weights in bf16, made on the GPU block by block; a fixed batch of latents and texts of usual sizes; stochastic
rounding, the optimizer inside the backward pass, every block compiled and checkpointed: the pieces of ``trainer fit``.
At most 8 minutes. Needs torch, numpy, PyYAML, pydantic, Pillow, pyarrow and safetensors; no diffusers, Ray or torchao.

    --dry-run   at full size on the meta device, on any machine: a step's shapes, bytes of every state, the memory plan
    --tiny      the same path on a CPU with a small model

MFU: 3 x forward FLOPs (model/flops.py; what checkpointing computes again does not count) / time / 989.4 TFLOP/s.
The last two lines are a row for benchmarks/README.md and one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

import configs
from model.attention import kernel_for
from model.config import MMDiTConfig, ModelConfig
from model.flops import PEAK_FLOPS, TRAINING_FACTOR, forward_flops
from model.layout import make_layout
from model.memory import Setting
from model.memory_plan import format_plan, plan_memory
from model.mmdit import MMDiT
from model.precision import multiplies_bf16
from tests.benchmarks.model_gpu import print_profile
from trainer.loss import MicroBatch, sample_losses
from trainer.optim.backward import BackwardOptimizer
from trainer.optim.config import OptimizerConfig
from trainer.optim.offload import offload_blocks
from trainer.optim.optimizer import make_optimizer
from trainer.optim.plans import PlannedOptimizer
from trainer.optim.weights import store_in_bf16
from trainer.parallel.activation import prepare_blocks

CONFIG = Path(__file__).resolve().parents[2] / "configs/model/qwen-image.yaml"
TINY = MMDiTConfig(3, 4, 32, 64, axes_dims_rope=(4, 14, 14))
BUDGET_S = 420  # chosen: no step begins later, so that start and end stay within 8 minutes
RATE = 2e-5  # chosen: continual training's, FACTS 3; a new model's weights start far from where 1e-4 is safe


def main() -> None:
    args = _arguments()
    began = time.perf_counter()
    config = TINY if args.tiny else configs.load(CONFIG, ModelConfig).transformer
    optimizer = OptimizerConfig(
        plan=args.plan,
        weights="bf16",
        in_backward=True,
        offload_blocks=args.offload_blocks,
        lr=1e-3 if args.tiny else RATE,
        schedule="constant",
        warmup=0,
        ema=None,
    )
    device = torch.device("meta" if args.dry_run else "cpu" if args.tiny else "cuda")
    samples = args.samples or (2 if args.tiny else _samples(args.resolution))
    setting = _setting(args, device)
    print("\n".join(_plan_lines(config, setting, args.resolution, args.text, samples)), flush=True)
    figures: dict[str, Any] = {"plan": args.plan, "resolution": args.resolution, "samples": samples}
    if args.dry_run:
        figures |= _dry_run(config, optimizer, setting, args, samples)
    else:
        figures |= _run(config, optimizer, args, samples, device, began)
        print(_row(figures))
    print(json.dumps(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", default="adafactor", choices=("adamw", "adamw8bit", "adafactor"))
    parser.add_argument("--resolution", type=int, default=1024, choices=(64, 256, 512, 1024))
    parser.add_argument("--samples", type=int, help="in the batch (default: 32 k tokens)")
    parser.add_argument("--text", type=int, default=256, help="text tokens of a sample")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--checkpointing", default="full", choices=("none", "selective", "full"))
    parser.add_argument("--offload-blocks", type=int, default=0, metavar="N")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--profile", action="store_true", help="print where the time of one more step goes")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    if not (args.dry_run or args.tiny or torch.cuda.is_available()):
        parser.error("no GPU is there: --dry-run and --tiny run without one")
    return args


def _samples(resolution: int) -> int:
    """32 k image tokens."""
    return max(1, 2**15 // (resolution // 16) ** 2)


def _setting(args: argparse.Namespace, device: torch.device) -> Setting:
    return Setting(
        optimizer=args.plan,
        weights="bf16",
        in_backward=True,
        offload_blocks=args.offload_blocks,
        average="none",
        products="bf16" if multiplies_bf16(device) else "fp32",
        checkpointing=args.checkpointing,
    )


def _plan_lines(config: MMDiTConfig, setting: Setting, resolution: int, text: int, samples: int) -> list[str]:
    with torch.device("meta"):
        model = MMDiT(config)
    tokens = (samples * (resolution // 16) ** 2, samples * text)
    plan = plan_memory(model, config, setting, *tokens, alike=True)
    card = torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else 80 * 10**9
    return format_plan(plan, setting, card)


def make_model(config: MMDiTConfig, device: torch.device) -> MMDiT:
    """Random bf16 weights, made on ``device`` one block at a time; fp32 ones never exist together.

    Torch's default initialization, modulation and output zero-gated ones included: a network whose every part works.
    """
    with torch.device("meta"):
        model = MMDiT(config).bfloat16()
    torch.manual_seed(0)
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if own:
            module.to_empty(device=device, recurse=False)
            if device.type != "meta":
                module.reset_parameters()  # type: ignore[operator]
    return model


def make_batch(config: MMDiTConfig, resolution: int, text: int, samples: int, device: torch.device) -> MicroBatch:
    """Latents, texts, noise and sigmas that stay the same; smooth latents, which can be learned."""
    side = resolution // 16
    layout = make_layout([text] * samples, [[(side, side)]] * samples, kernel_for(_real(device), torch.bfloat16))
    generator = torch.Generator().manual_seed(1)
    shape = (samples * side * side, config.in_channels)
    clean = torch.randn(samples, 1, config.in_channels, generator=generator).expand(-1, side * side, -1).reshape(shape)
    noise = torch.randn(shape, generator=generator)
    sigma = torch.linspace(0.1, 0.9, samples)
    at = sigma.repeat_interleave(side * side)[:, None]
    texts = torch.randn(samples * text, config.joint_attention_dim, generator=generator)
    return MicroBatch(
        slots=list(range(samples)),
        images=((1 - at) * clean + at * noise).to(device),
        target=(noise - clean).to(device),
        text=texts.to(device),
        sigma=sigma.to(device),
        layout=layout.to(device),
        weights=None,
    )


def _real(device: torch.device) -> torch.device:
    return torch.device("cuda") if device.type == "meta" else device  # the meta device takes CUDA's path


def _prepared(config: MMDiTConfig, optimizer: OptimizerConfig, args: argparse.Namespace, device: torch.device) -> MMDiT:
    model = make_model(config, device).train()
    store_in_bf16(model, device)
    offload_blocks(model, optimizer.offload_blocks)
    prepare_blocks(model, args.checkpointing, args.compile and device.type == "cuda", alike=True)
    return model


def _run(
    config: MMDiTConfig,
    optimizer: OptimizerConfig,
    args: argparse.Namespace,
    samples: int,
    device: torch.device,
    began: float,
) -> dict[str, Any]:
    model = _prepared(config, optimizer, args, device)
    stepper = BackwardOptimizer(model, make_optimizer(model, optimizer), optimizer.clip)
    batch = make_batch(config, args.resolution, args.text, samples, device)

    def train(step: int) -> tuple[float, float]:
        stepper.begin(step, optimizer.lr)
        loss = sample_losses(model, batch, None).mean()
        loss.backward()
        norm = stepper.finish()
        return loss.item(), norm

    losses, seconds = [], []
    for step in range(args.steps):
        start = time.perf_counter()
        if start - began > BUDGET_S:
            break
        loss, norm = train(step)
        losses.append(loss)
        seconds.append(time.perf_counter() - start)
        print(f"step {step}: loss {losses[-1]:.4f}, gradient {norm:.3g}, {seconds[-1]:.2f} s", flush=True)
    if args.profile:
        print_profile(lambda: train(args.steps), device)
    median = statistics.median(seconds[2:] or seconds)  # the first ones compile
    flops = TRAINING_FACTOR * samples * forward_flops(config, (args.resolution // 16) ** 2, args.text)
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "checkpointing": args.checkpointing,
        "offload_blocks": args.offload_blocks,
        "steps": len(losses),
        "loss_start": round(losses[0], 5),
        "loss_end": round(losses[-1], 5),
        "falls": losses[-1] < losses[0],
        "step_s": round(median, 4),
        "samples_per_s": round(samples / median, 3),
        "mfu": round(flops / median / PEAK_FLOPS, 4),
        "peak_gb": round(peak / 1e9, 2),
        "total_s": round(time.perf_counter() - began, 1),
    }


def _dry_run(
    config: MMDiTConfig, optimizer: OptimizerConfig, setting: Setting, args: argparse.Namespace, samples: int
) -> dict[str, Any]:
    """Forward and backward pass on meta, and every tensor of weights and states counted against the plan."""
    device = torch.device("meta")
    model = _prepared(config, replace(optimizer, offload_blocks=0), args, device)
    batch = make_batch(config, args.resolution, args.text, samples, device)
    predicted = model(
        batch.images, batch.text, batch.sigma, batch.layout
    )  # sample_losses asks for autocast, unknown to meta
    (predicted.float()[batch.layout.target] - batch.target).square().mean().backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    wrong = [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or p.grad.shape != p.shape)]
    part = make_optimizer(model, optimizer).parts[0]
    assert isinstance(part, PlannedOptimizer)
    states = sum(t.nbytes for p in trained for t in part.new_state(p).values())
    plan = plan_memory(model, config, replace(setting, offload_blocks=0), 1, 1)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "without_gradient": wrong,
        "weights_gb": round(sum(p.nbytes for p in model.parameters()) / 1e9, 3),
        "planned_weights_gb": round(plan.weights / 1e9, 3),
        "states_gb": round(states / 1e9, 3),
        "planned_states_gb": round(plan.optimizer / 1e9, 3),
    }


def _row(figures: dict[str, Any]) -> str:
    cells = ("device", "plan", "checkpointing", "resolution", "samples", "step_s", "samples_per_s", "mfu", "peak_gb")
    losses = f"{figures['loss_start']:.4f} -> {figures['loss_end']:.4f}"
    return "| " + " | ".join([*(str(figures[cell]) for cell in cells), losses]) + " |"


if __name__ == "__main__":
    main()
