"""Training step of the tiny transformer on this machine's CPU, ours against diffusers'.

    python tests/benchmarks/model_step.py [--threads 1] [--repeats 7]

Forward and backward of a batch with fixed weights, the two models in turn, median of the repeats.
Two batches: 64 samples alike (16 image and 8 text tokens), and 64 whose texts have 6 to 24 tokens;
there diffusers pads the text and masks it. The last line is one JSON object.
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ours, theirs = _models()
    figures: dict[str, float] = {"threads": args.threads, "samples": SAMPLES}
    ragged = [6 + (7 * i) % 19 for i in range(SAMPLES)]
    for name, lengths in (("uniform", [8] * SAMPLES), ("ragged", ragged)):
        seconds = _medians(_steps(ours, theirs, lengths), args.repeats)
        figures |= {f"{name}_ours_s": round(seconds[0], 4), f"{name}_diffusers_s": round(seconds[1], 4)}
        figures[f"{name}_ratio"] = round(seconds[1] / seconds[0], 3)
        print(f"{name}: ours {seconds[0]:.3f} s, diffusers {seconds[1]:.3f} s")
    print(json.dumps(figures))


def _models() -> tuple[MMDiT, torch.nn.Module]:
    from diffusers import QwenImageTransformer2DModel

    config = configs.load(ROOT / "configs/model/tiny.yaml", ModelConfig).transformer
    ours = MMDiT(config)
    theirs = QwenImageTransformer2DModel(**vars(config))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def _steps(ours: MMDiT, theirs: torch.nn.Module, lengths: list[int]) -> list[Callable[[], None]]:
    """One step of each model on the same batch."""
    n = SIDE * SIDE
    image, sigma = torch.randn(SAMPLES, n, 64), torch.rand(SAMPLES)
    texts = [torch.randn(length, ours.config.joint_attention_dim) for length in lengths]
    packed, flat = torch.cat(texts), image.flatten(0, 1)
    padded = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
    mask = torch.arange(padded.shape[1]) < torch.tensor(lengths)[:, None]
    shapes = [[(1, SIDE, SIDE)]] * SAMPLES

    def step_ours() -> None:
        layout = make_layout(lengths, [[(SIDE, SIDE)]] * SAMPLES)
        _backward(ours, ours(flat, packed, sigma, layout))

    def step_theirs() -> None:
        same = None if bool(mask.all()) else mask
        _backward(theirs, theirs(image, padded, same, sigma, shapes, return_dict=False)[0])

    return [step_ours, step_theirs]


def _backward(model: torch.nn.Module, out: Tensor) -> None:
    model.zero_grad(set_to_none=True)
    out.square().mean().backward()


def _medians(steps: list[Callable[[], None]], repeats: int) -> list[float]:
    seconds: list[list[float]] = [[] for _ in steps]
    for repeat in range(repeats + 2):  # the first two warm up
        for step, taken in zip(steps, seconds, strict=True):
            start = time.perf_counter()
            step()
            if repeat >= 2:
                taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


if __name__ == "__main__":
    main()
