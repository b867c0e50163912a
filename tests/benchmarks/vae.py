"""The image VAE on one core against diffusers', and what windows cost and save.

    python tests/benchmarks/vae.py [--side 256] [--large 1328] [--repeats 5]

Released width, random weights, fp32, the two in turn, median CPU seconds of the one thread. Then one
decoding of a ``--large`` picture whole and in windows, each in a process of its own for its peak memory.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from model.vae_weights import load_vae_folder

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, from anywhere

from model.vae import ImageVAE, VAEConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--large", type=int, default=1328)
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    for name, (ours, theirs) in _pairs(args.side).items():
        a, b = _medians((ours, theirs), args.repeats)
        figures |= {f"{name}_s": round(a, 3), f"{name}_diffusers_s": round(b, 3), f"{name}_ratio": round(b / a, 2)}
        print(f"{name} {args.side} px: ours {a:.2f} s, diffusers {b:.2f} s, {b / a:.2f} times")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:  # a process for each
        for name, tile in (("whole", None), ("windows", args.tile)):
            seconds, gib = pool.apply(decode_large, (args.large, tile))
            figures |= {f"{name}_s": round(seconds, 1), f"{name}_gib": round(gib, 2)}
            print(f"decode {args.large} px, {name}: {seconds:.1f} s, {gib:.2f} GiB at the peak")
    print(json.dumps(figures))


def _pairs(side: int) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    from diffusers import AutoencoderKLQwenImage

    theirs = AutoencoderKLQwenImage().eval()
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = load_vae_folder(folder).eval()
    images, z = torch.rand(1, 3, side, side) * 2 - 1, torch.randn(1, 16, side // 8, side // 8)
    return {
        "encode": (lambda: ours.posterior(images), lambda: theirs.encode(images[:, :, None])),
        "decode": (lambda: ours.decode_raw(z), lambda: theirs.decode(z[:, :, None])),
    }


@torch.no_grad()
def _medians(steps: tuple[Callable[[], object], ...], repeats: int) -> list[float]:
    seconds: list[list[float]] = [[] for _ in steps]
    for repeat in range(repeats + 1):  # the first warms up
        for taken, step in zip(seconds, steps, strict=True):
            start = time.thread_time()
            step()
            if repeat:
                taken.append(time.thread_time() - start)
    return [statistics.median(taken) for taken in seconds]


@torch.no_grad()
def decode_large(side: int, tile: int | None) -> tuple[float, float]:
    """CPU seconds, and GiB that decoding added to the peak of this process."""
    torch.set_num_threads(1)
    vae = ImageVAE(VAEConfig()).eval()
    vae.tile = tile
    vae.decode(torch.randn(1, 16, 8, 8))
    before, start = _peak_gib(), time.thread_time()
    vae.decode(torch.randn(1, 16, side // 8, side // 8))
    taken = time.thread_time() - start
    return taken, _peak_gib() - before


def _peak_gib() -> float:
    """Of this process since its program started (ru_maxrss would remember the parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


if __name__ == "__main__":
    main()
