"""``python -m model sample``: one picture as a PNG that says how it was made."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rich.console import Console
from rich.progress import Progress

from configs import UserError
from configs.errors import DiskFailed
from configs.files import replaced
from configs.pictures import DecodeError, Limits, decode
from model.checkpoint import check_folder
from model.device import named_device
from model.files import weight_files
from model.lora_merge import lora_file
from model.qwen_image import QwenImage

_IMAGE_LIMITS = Limits(max_bytes=1_000_000_000)  # of a picture that the user names
_LINE_EVERY = 20.0  # seconds


def sample_to_file(args: argparse.Namespace) -> None:
    """Sample and write ``args.out``; its text chunks hold prompt, seed, settings and the weights' digest."""
    device = named_device(args.device)
    folder = check_folder(args.checkpoint)
    references = [_reference(path) for path in args.image]
    loras = [lora_file(text) for text in args.lora]
    with _new_file(args.out) as part, _counter(args.steps) as count:
        dtype = getattr(torch, args.dtype) if args.dtype else None
        model = QwenImage.load(folder, dtype, device, args.weights, loras, args.max_tokens)
        settings: dict[str, Any] = {"steps": args.steps, "cfg": args.cfg, "negative": args.negative, "seed": args.seed}
        edit = {"references": references, "reference_area": args.reference_area, "vision_area": args.vision_area}
        picture = model.sample(args.prompt, args.height, args.width, progress=count, **settings, **edit)[0]
        info = PngInfo()
        made = {"prompt": args.prompt, **settings, "model_digest": _transformer_digest(folder, args.weights)}
        if loras:
            made["lora"] = " ".join(f"{_sha256(path)}:{weight:g}" for path, weight in loras)
        if args.image:
            made["references"] = " ".join(map(_sha256, args.image))
        for name, value in made.items():
            info.add_itxt(name, str(value))
        picture.save(part, format="PNG", pnginfo=info)
    print(f"wrote {args.out}")


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """A name to write to that becomes ``path`` at the end; UserError at once where that cannot be written."""
    if path.is_dir():
        raise UserError(f"--out: {path} is a folder; name a file")
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(replaced(path, durable=False))
            temporary.touch()
        except DiskFailed as error:
            raise UserError(f"--out: {path} cannot be written: {error.why}; {error.helps}") from None
        except OSError as error:
            raise UserError(f"--out: {path} cannot be written: {error.strerror}") from None
        yield temporary


def _reference(path: Path) -> Image.Image:
    """The picture upright, in RGB; UserError naming the file."""
    try:
        return Image.fromarray(decode(path.read_bytes(), _IMAGE_LIMITS))
    except (OSError, DecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--image: {path} cannot be read as a picture: {reason}") from None


def _transformer_digest(folder: Path, weights: Path | None) -> str:
    """sha256 over the names and sha256 of the transformer's files: which weights made a picture."""
    total = hashlib.sha256()
    files = [weights] if weights else weight_files(folder / "transformer")
    for path in [folder / "transformer" / "config.json", *files]:
        total.update(f"{path.name} {_sha256(path)}\n".encode())
    return total.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
            if bar.disable and time.monotonic() - told > _LINE_EVERY:
                print(f"sampling: step {done} of {steps}", file=sys.stderr)
                told = time.monotonic()

        yield count
