"""Training step of the tiny transformer on one core, ours against diffusers'.

    python tests/benchmarks/model_step.py [--repeats 9]

Forward and backward of a batch with fixed weights, the models in turn, median of the repeats in CPU
seconds of the one thread (so a busy machine blurs little). Two batches: 64 samples alike (16 image
and 8 text tokens), and 64 whose texts have 6 to 24 tokens; there diffusers pads the text and masks
it. ``bf16`` is ours under autocast. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

import configs
from model.config import ModelConfig
from model.layout import make_layout
from model.mmdit import MMDiT

SAMPLES, SIDE = 64, 4
ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    ours, theirs = _models()
    figures: dict[str, float] = {"samples": SAMPLES}
    ragged = [6 + (7 * i) % 19 for i in range(SAMPLES)]
    for name, lengths in (("uniform", [8] * SAMPLES), ("ragged", ragged)):
        seconds = _medians(_steps(ours, theirs, lengths), args.repeats)
        figures |= {f"{name}_{model}_s": round(taken, 4) for model, taken in seconds.items()}
        figures[f"{name}_ratio"] = round(seconds["diffusers"] / seconds["ours"], 3)
        print(f"{name}: " + ", ".join(f"{model} {taken:.3f} s" for model, taken in seconds.items()))
    print(json.dumps(figures))


def _models() -> tuple[MMDiT, torch.nn.Module]:
    from diffusers import QwenImageTransformer2DModel

    config = configs.load(ROOT / "configs/model/tiny.yaml", ModelConfig).transformer
    ours = MMDiT(config)
    theirs = QwenImageTransformer2DModel(**vars(config))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def _steps(ours: MMDiT, theirs: torch.nn.Module, lengths: list[int]) -> dict[str, Callable[[], None]]:
    """One step of each model on the same batch."""
    n = SIDE * SIDE
    image, sigma = torch.randn(SAMPLES, n, 64), torch.rand(SAMPLES)
    texts = [torch.randn(length, ours.config.joint_attention_dim) for length in lengths]
    packed, flat = torch.cat(texts), image.flatten(0, 1)
    padded = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
    mask = torch.arange(padded.shape[1]) < torch.tensor(lengths)[:, None]
    shapes = [[(1, SIDE, SIDE)]] * SAMPLES

    def step_ours(bf16: bool = False) -> None:
        layout = make_layout(lengths, [[(SIDE, SIDE)]] * SAMPLES)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            out = ours(flat, packed, sigma, layout)
        _backward(ours, out.float())

    def step_theirs() -> None:
        same = None if bool(mask.all()) else mask
        _backward(theirs, theirs(image, padded, same, sigma, shapes, return_dict=False)[0])

    return {"ours": step_ours, "diffusers": step_theirs, "bf16": lambda: step_ours(bf16=True)}


def _backward(model: torch.nn.Module, out: Tensor) -> None:
    model.zero_grad(set_to_none=True)
    out.square().mean().backward()


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
