"""``python -m model sample``: one picture as a PNG that says how it was made."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from model.checkpoint import check_folder
from model.files import weight_files
from model.qwen_image import QwenImage

LINE_EVERY = 20.0  # seconds


def sample_to_file(args: argparse.Namespace) -> None:
    """Sample and write ``args.out``; its text chunks hold prompt, seed, settings and the weights' digest."""
    from PIL.PngImagePlugin import PngInfo

    folder = check_folder(args.checkpoint)
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = QwenImage.load(folder, getattr(torch, args.dtype) if args.dtype else None, device)
    with _counter(args.steps) as count:
        size = (args.height, args.width)
        picture = model.sample(args.prompt, *size, args.steps, args.cfg, args.negative, args.seed, count)[0]
    info = PngInfo()
    settings = {name: getattr(args, name) for name in ("prompt", "negative", "seed", "steps", "cfg")}
    for name, value in {**settings, "model_digest": transformer_digest(folder)}.items():
        info.add_itxt(name, str(value))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    part = args.out.with_name(f".{args.out.name}.part")
    picture.save(part, format="PNG", pnginfo=info)
    os.replace(part, args.out)
    print(f"wrote {args.out}")


def transformer_digest(folder: Path) -> str:
    """sha256 over the names and sha256 of the transformer's files: which weights made a picture."""
    total = hashlib.sha256()
    for path in [folder / "transformer" / "config.json", *weight_files(folder / "transformer")]:
        with path.open("rb") as file:
            total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


@contextmanager
def _counter(steps: int) -> Iterator[Callable[[int], None]]:
    """To be called once per step: a bar on a terminal, else a line now and then."""
    done, told = 0, time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("sampling", total=steps)

        def count(_: int) -> None:
            nonlocal done, told
            done += 1
            bar.advance(task)
            if bar.disable and time.monotonic() - told > LINE_EVERY:
                print(f"sampling: step {done} of {steps}", file=sys.stderr)
                told = time.monotonic()

        yield count
