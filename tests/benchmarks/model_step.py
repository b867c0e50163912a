"""Training step of small transformers on one core, ours against diffusers'.

    python tests/benchmarks/model_step.py [--repeats 9]

Forward and backward of a batch with fixed weights, the models in turn, median of the repeats in CPU
seconds of the one thread (so a busy machine blurs little). Three batches:

    uniform  width 256, 64 samples alike (16 image and 8 text tokens)
    ragged   width 256, 64 samples whose texts have 6 to 24 tokens
    mixed    width 512, 12 samples of four aspect ratios whose texts have 8 to 200 tokens

diffusers' model trains on unlike samples in two ways, and both are measured where they differ: one
sample at a time, or samples of one size together, with their texts padded and masked. ``ratio`` is the
better one's time over ours; ``bf16`` is ours under autocast. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

import configs
from model.config import ModelConfig
from model.layout import make_layout
from model.mmdit import MMDiT

ROOT = Path(__file__).resolve().parents[2]
Size = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """A batch: a size in patches and a number of text tokens for each sample, and what of the tiny model to change."""

    sizes: list[Size]
    texts: list[int]
    overrides: tuple[str, ...] = ()


CASES = {
    "uniform": Case([(4, 4)] * 64, [8] * 64, ("transformer.num_attention_heads=8",)),
    "ragged": Case([(4, 4)] * 64, [6 + (7 * i) % 19 for i in range(64)], ("transformer.num_attention_heads=8",)),
    "mixed": Case(
        [(8, 8), (6, 10), (10, 6), (5, 13)] * 3,
        [8 + 192 * i // 11 for i in (0, 7, 3, 10, 5, 11, 1, 8, 4, 9, 2, 6)],
        ("transformer.num_layers=2", "transformer.num_attention_heads=16"),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    for name, case in CASES.items():
        seconds = _medians(_steps(*_models(case), case), args.repeats)
        better = min(taken for way, taken in seconds.items() if way.startswith("diffusers"))
        figures |= {f"{name}_{way}_s": round(taken, 4) for way, taken in seconds.items()}
        figures[f"{name}_ratio"] = round(better / seconds["ours"], 3)
        print(f"{name}: " + ", ".join(f"{way} {taken:.3f} s" for way, taken in seconds.items()))
    print(json.dumps(figures))


def _models(case: Case) -> tuple[MMDiT, torch.nn.Module]:
    from diffusers import QwenImageTransformer2DModel

    config = configs.load(ROOT / "configs/model/tiny.yaml", ModelConfig, case.overrides).transformer
    ours = MMDiT(config)
    theirs = QwenImageTransformer2DModel(**vars(config))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def _steps(ours: MMDiT, theirs: torch.nn.Module, case: Case) -> dict[str, Callable[[], None]]:
    """One step on the same batch in each of the ways."""
    images, sigma = [torch.randn(h * w, 64) for h, w in case.sizes], torch.rand(len(case.sizes))
    texts = [torch.randn(length, ours.config.joint_attention_dim) for length in case.texts]

    def step_ours(bf16: bool = False) -> None:
        layout = make_layout(case.texts, [[size] for size in case.sizes])
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            out = ours(torch.cat(images), torch.cat(texts), sigma, layout)
        ours.zero_grad(set_to_none=True)
        out.float().square().sum().backward()

    def step_theirs(groups: list[list[int]]) -> None:
        theirs.zero_grad(set_to_none=True)
        for group in groups:
            lengths = torch.tensor([case.texts[i] for i in group])
            padded = torch.nn.utils.rnn.pad_sequence([texts[i] for i in group], batch_first=True)
            mask = torch.arange(padded.shape[1]) < lengths[:, None]
            shapes = [[(1, *case.sizes[i])] for i in group]
            image = torch.stack([images[i] for i in group])
            same = None if bool(mask.all()) else mask
            out = theirs(image, padded, same, sigma[group], shapes, return_dict=False)[0]
            out.square().sum().backward()

    alike: dict[Size, list[int]] = {}
    for i, size in enumerate(case.sizes):
        alike.setdefault(size, []).append(i)
    together, alone = list(alike.values()), [[i] for i in range(len(texts))]
    return {
        "ours": step_ours,
        "diffusers_padded": lambda: step_theirs(together),
        "diffusers_one_by_one": lambda: step_theirs(alone),
        "bf16": lambda: step_ours(bf16=True),
    }


def _medians(steps: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 2):  # the first two warm up
        for name, step in steps.items():
            start = time.thread_time()
            step()
            if repeat >= 2:
                seconds[name].append(time.thread_time() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


if __name__ == "__main__":
    main()
