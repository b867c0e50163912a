"""Full-width MMDiT blocks on one GPU: MFU of forward and backward, against diffusers' in the same run.

    python tests/benchmarks/model_gpu.py [--layers 8] [--cases 256p,1024p] [--profile]

Width 3072, 24 heads, bf16, random weights, every block compiled, no activation checkpointing, no
optimizer. A case is a micro-batch of 16 k to 32 k tokens; its time is the median of 20 steps after 5.

    mfu      3 x forward FLOPs (model/flops.py) / time / 989.4 TFLOP/s
    ceiling  the same with every product at the measured rate of 8192^3 and attention at its own
    ratio    diffusers' time over ours, diffusers with compile_repeated_blocks; for ragged batches its
             better way of two: one sample at a time, or padded and masked by size

``ragged`` also counts graphs over 200 steps of unlike batches. ``--device cpu`` with ``--width 64`` tries the
script out. Without diffusers there is no ratio. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from model.attention import kernel_for
from model.config import MMDiTConfig
from model.flops import PEAK_FLOPS, TRAINING_FACTOR, forward_flops
from model.layout import Layout, Padding, Size, make_layout
from model.mmdit import MMDiT

WARM, MEASURED = 5, 20
RAGGED_STEPS = 200
TEXT = 3584


@dataclass(frozen=True)
class Case:
    """Samples of a micro-batch: images as (h, w) in patches, target first, and text tokens."""

    images: list[list[Size]]
    texts: list[int]

    @property
    def n_image(self) -> list[int]:
        return [sum(h * w for h, w in sample) for sample in self.images]

    @property
    def tokens(self) -> int:
        return sum(self.n_image) + sum(self.texts)

    @property
    def alike(self) -> bool:
        return len(set(self.texts)) == 1 and all(sample == self.images[0] for sample in self.images)


def uniform(samples: int, side: int, text: int, references: int = 0) -> Case:
    return Case([[(side, side)] * (1 + references)] * samples, [text] * samples)


CASES = {
    "256p": uniform(48, 16, 128),
    "640p": uniform(12, 40, 200),
    "1024p": uniform(5, 64, 256),
    "1328p": uniform(3, 83, 256),
    "edit": uniform(2, 64, 1450, references=1),
    "ragged": Case([[size] for size in [(64, 64), (52, 78), (78, 52), (46, 88), (40, 40)]], [8, 200, 64, 120, 350]),
}


def main() -> None:
    args = _arguments()
    device = torch.device(args.device)
    torch._dynamo.config.recompile_limit = 64  # a graph for each case and kind of block; the default is 8
    config = MMDiTConfig(num_layers=args.layers) if args.width == 3072 else _narrow(args)
    figures: dict[str, Any] = {"device": _name(device), "layers": args.layers, "torch": torch.__version__}
    rates = _rates(device, config)
    figures |= rates
    print(", ".join(f"{k} {v}" for k, v in figures.items()))
    model = _ours(config, device, args.compile)
    for name in args.cases.split(","):
        figures |= {f"{name}_{k}": v for k, v in _ours_on(name, CASES[name], model, rates, device, args).items()}
    if "ragged" in args.cases:
        figures["ragged_graphs"], figures["ragged_shapes"] = _graphs(model, device, args.steps)
    del model
    _free(device)
    theirs = _theirs(config, device, args.compile)
    if theirs is not None:
        for name in args.cases.split(","):
            if len({len(sample) for sample in CASES[name].images}) == 1:
                seconds = _theirs_on(CASES[name], theirs, device, args)
                figures[f"{name}_diffusers_s"] = round(seconds, 4)
                figures[f"{name}_ratio"] = round(seconds / figures[f"{name}_s"], 3)
                print(f"{name}: diffusers {seconds:.3f} s, {figures[f'{name}_ratio']} times ours")
    print(json.dumps(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--profile", action="store_true", help="print where the time of each case goes")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--width", type=int, default=3072)
    parser.add_argument("--steps", type=int, default=RAGGED_STEPS, help="unlike batches whose graphs are counted")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    args = parser.parse_args()
    unknown = [name for name in args.cases.split(",") if name not in CASES]
    if unknown:
        parser.error(f"--cases: {unknown[0]} is none of {', '.join(CASES)}")
    return args


def _narrow(args: argparse.Namespace) -> MMDiTConfig:
    return MMDiTConfig(
        num_layers=args.layers, num_attention_heads=args.width // 32, attention_head_dim=32, axes_dims_rope=(4, 14, 14)
    )


def _ours(config: MMDiTConfig, device: torch.device, compiled: bool) -> MMDiT:
    with device:
        model = MMDiT(config).bfloat16()
    if compiled:
        for block in model.transformer_blocks:
            block.compile(fullgraph=True, dynamic=False)
    return model


def _theirs(config: MMDiTConfig, device: torch.device, compiled: bool) -> Any:
    try:
        from diffusers import QwenImageTransformer2DModel
    except ImportError:
        print("diffusers is not installed: no ratios")
        return None
    with device:
        model = QwenImageTransformer2DModel(**vars(config)).bfloat16()
    if compiled:
        model.compile_repeated_blocks(fullgraph=True)
    return model.train()


def _ours_on(
    name: str, case: Case, model: MMDiT, rates: dict[str, float], device: torch.device, args: argparse.Namespace
) -> dict[str, float]:
    padding = Padding(
        samples=len(case.texts), longest=max(a + b for a, b in zip(case.n_image, case.texts, strict=True))
    )
    inputs = _inputs(case, model.config, device)
    layout = _layout(case, padding, device)
    step = lambda: _step_ours(model, inputs, layout)  # noqa: E731
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds = _median(step, device)
    flops = TRAINING_FACTOR * sum(
        forward_flops(model.config, m, n) for m, n in zip(case.n_image, case.texts, strict=True)
    )
    d, layers = model.config.dim, model.config.num_layers
    attention = (
        TRAINING_FACTOR * layers * sum(4 * d * (m + n) ** 2 for m, n in zip(case.n_image, case.texts, strict=True))
    )
    least = (flops - attention) / (rates["product_tflops"] * 1e12) + attention / (rates["attention_tflops"] * 1e12)
    figures = {
        "s": round(seconds, 4),
        "mfu": round(flops / seconds / PEAK_FLOPS, 3),
        "ceiling": round(flops / least / PEAK_FLOPS, 3),
        "tflops": round(flops / seconds / 1e12, 1),
        "tokens_per_s": round(case.tokens / seconds),
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 1) if device.type == "cuda" else 0.0,
    }
    print(f"{name}: {case.tokens} tokens, " + ", ".join(f"{k} {v}" for k, v in figures.items()))
    if args.profile:
        print_profile(step, device)
    return figures


def _step_ours(model: MMDiT, inputs: tuple[Tensor, Tensor, Tensor], layout: Layout) -> None:
    model.zero_grad(set_to_none=True)
    model(*inputs, layout)[layout.target].float().square().sum().backward()


def _theirs_on(case: Case, model: Any, device: torch.device, args: argparse.Namespace) -> float:
    """The better of one sample at a time and one size at a time."""
    alike: dict[tuple[Size, ...], list[int]] = {}
    for i, sample in enumerate(case.images):
        alike.setdefault(tuple(sample), []).append(i)
    ways = [list(alike.values())]
    if not case.alike:
        ways.append([[i] for i in range(len(case.texts))])
    batches = [[_their_inputs(case, group, device) for group in groups] for groups in ways]
    return min(_median(lambda groups=groups: _step_theirs(model, groups), device) for groups in batches)  # type: ignore[misc]


def _their_inputs(case: Case, group: list[int], device: torch.device) -> tuple[Any, ...]:
    """Positional arguments of diffusers' forward: image, text, mask, time, shapes."""
    longest = max(case.texts[i] for i in group)
    image = torch.randn(len(group), case.n_image[group[0]], 64, device=device, dtype=torch.bfloat16)
    text = torch.randn(len(group), longest, TEXT, device=device, dtype=torch.bfloat16)
    lengths = torch.tensor([case.texts[i] for i in group], device=device)
    mask = None if len(set(lengths.tolist())) == 1 else torch.arange(longest, device=device) < lengths[:, None]
    shapes = [[(1, *size) for size in case.images[i]] for i in group]
    return image, text, mask, torch.rand(len(group), device=device), shapes


def _step_theirs(model: Any, groups: list[tuple[Any, ...]]) -> None:
    model.zero_grad(set_to_none=True)
    for inputs in groups:
        model(*inputs, return_dict=False)[0].float().square().sum().backward()


def _graphs(model: MMDiT, device: torch.device, steps: int) -> tuple[int, int]:
    """(graphs compiled, different padded shapes) over ``steps`` ragged batches of about 16 k tokens."""
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    generator = torch.Generator().manual_seed(0)
    aspects = [(64, 64), (52, 78), (78, 52), (46, 88)]
    shapes = set()
    for _ in range(steps):
        sizes = [aspects[i] for i in torch.randint(4, (4,), generator=generator).tolist()]
        texts = torch.randint(8, 201, (4,), generator=generator).tolist()
        case = Case([[size] for size in sizes], texts)
        layout = _layout(case, Padding(samples=4, longest=4400), device)
        shapes.add((layout.n_image, layout.n_text))
        _step_ours(model, _inputs(case, model.config, device), layout)
    graphs = counters["stats"]["unique_graphs"]
    judged = (
        "as expected" if graphs <= 2 * len(shapes) else "TOO MANY"
    )  # the last block is another graph than the others
    print(f"ragged: {graphs} graphs for {len(shapes)} padded shapes over {steps} steps, {judged}")
    return graphs, len(shapes)


def _inputs(case: Case, config: MMDiTConfig, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    make = {"device": device, "dtype": torch.bfloat16}
    image = torch.randn(sum(case.n_image), config.in_channels, **make)  # type: ignore[call-overload]
    text = torch.randn(sum(case.texts), config.joint_attention_dim, **make)  # type: ignore[call-overload]
    return image, text, torch.rand(len(case.texts), device=device)


def _layout(case: Case, padding: Padding, device: torch.device) -> Layout:
    return make_layout(case.texts, case.images, kernel_for(device, torch.bfloat16), padding).to(device)


def _rates(device: torch.device, config: MMDiTConfig) -> dict[str, float]:
    """TFLOP/s of an 8192^3 product, and of attention forward and backward in 4 samples of 4,352 tokens."""
    n = 8192 if device.type == "cuda" else 512
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    product = 2 * n**3 / _median(lambda: a @ b, device)
    tokens, samples = (4352, 4) if device.type == "cuda" else (128, 4)
    shape = (samples * tokens, config.num_attention_heads, config.attention_head_dim)
    q, k, v = (torch.randn(shape, device=device, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    attend = _attention(samples, tokens, device)

    def step() -> None:
        out = attend(q, k, v)
        torch.autograd.grad(out, (q, k, v), torch.ones_like(out))

    flops = TRAINING_FACTOR * samples * 4 * config.dim * tokens**2
    return {
        "product_tflops": round(product / 1e12, 3),
        "attention_tflops": round(flops / _median(step, device) / 1e12, 3),
    }


def _attention(samples: int, tokens: int, device: torch.device) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    from model.attention import attend

    # One text token a sample: the rest of the sequence is as good as an image for a rate.
    joint = (
        make_layout([1] * samples, [[(tokens - 1, 1)]] * samples, kernel_for(device, torch.bfloat16)).to(device).joint
    )
    return lambda q, k, v: attend(q, k, v, joint.every, joint)


def _median(step: Callable[[], Any], device: torch.device) -> float:
    return statistics.median(list(_times(step, device))[WARM:])


def _times(step: Callable[[], Any], device: torch.device) -> Iterator[float]:
    for _ in range(WARM + MEASURED):
        _wait(device)
        start = time.perf_counter()
        step()
        _wait(device)
        yield time.perf_counter() - start


def print_profile(step: Callable[[], Any], device: torch.device) -> None:
    """The kernels that take longest in one ``step``."""
    from torch.profiler import ProfilerActivity, profile

    cuda = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]) as profiled:
        step()
        _wait(device)
    events = [(e.self_device_time_total if cuda else e.self_cpu_time_total, e) for e in profiled.key_averages()]
    total = sum(us for us, _ in events)
    print(f"{total / 1e6:.3f} s at work:")
    for us, event in sorted(events, key=lambda pair: -pair[0])[:20]:
        print(f"{us / 1e3:10.2f} ms {us / total:6.1%} {event.count:6} x {event.key[:100]}")


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _free(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "cpu"


if __name__ == "__main__":
    main()
