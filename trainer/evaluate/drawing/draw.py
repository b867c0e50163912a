"""The pictures of a suite by a model: drawn once, kept as PNG, and drawn anew only where something of it changed.

    Item, n ──> Shot: prompt, size, seed, file ──(not there yet)──> Artist: sample or reconstruct ──> file

made.txt beside them says what each was made from, so a killed command goes on and another model's pictures are never
taken for this one's. Several GPUs are Ray actors (``pipeline/cluster.py``), one draws in this process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from configs import RunFailed
from configs.files import append_line, replace_picture
from configs.pictures import DecodeError
from model import QwenImage
from model.init import new_transformer
from model.references import pixels
from pipeline import cluster
from pipeline.annotators.model_folder import fingerprint
from pipeline.progress import progress
from trainer.evaluate.base import Item, Subject
from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.reading.readings import load

_TOGETHER, _PIXELS = 64, 1 << 22
"""Pictures, and px of them, that are asked for at once and then written; chosen: what a kill costs. The model cuts them
further."""
_FAILING = 32
"""Pictures that are not finite, with none that is, after which the model is given up; chosen."""
_MADE = "made.txt"


@dataclass(frozen=True)
class Sampling:
    """``folder``: of the model. ``dtype``: of torch, by name; None: as stored. ``fresh``: untrained weights in its place."""

    folder: Path
    device: str
    dtype: str | None
    steps: int
    cfg: float
    negative: str
    reference_area: int
    vision_area: int | None
    max_tokens: int
    fresh: bool = False

    @classmethod
    def of(cls, config: EvaluateConfig, subject: Subject, fresh: bool = False) -> Sampling:
        areas = config.edit.reference_area, config.edit.vision_area
        about = subject.folder, subject.device, subject.dtype
        return cls(*about, config.steps, config.cfg, config.negative, *areas, config.max_tokens, fresh)


@dataclass(frozen=True)
class Shot:
    """One picture to be made. ``inputs``: files of what the model is given. ``made``: of what, 32 hex digits."""

    path: Path
    how: Literal["sample", "reconstruct"]
    prompt: str
    width: int
    height: int
    seed: int
    inputs: tuple[Path, ...]
    made: str


@dataclass(frozen=True)
class _Part:
    name: str
    shots: tuple[Shot, ...]


def shots(
    items: Sequence[Item],
    how: Literal["sample", "reconstruct"],
    folder: Path,
    inputs: Sequence[tuple[Path, ...]],
    config: EvaluateConfig,
    sampling: Sampling,
) -> list[Shot]:
    """Of every item ``config.per_prompt`` pictures in ``folder``; reconstructions are the same each time. ``inputs``: of
    each item."""
    count = config.per_prompt if how == "sample" else 1
    model = fingerprint(sampling.folder)
    settings = astuple(replace(sampling, max_tokens=0))[1:]  # how long a prompt may be changes no picture
    found = []
    for number, (item, given) in enumerate(zip(items, inputs, strict=True)):
        for n in range(count):
            seed = config.seed + number + n * len(items)
            shot = (how, item.prompt, item.width, item.height, seed)
            of = repr((shot, [_digest(path) for path in given], model, settings))
            made = hashlib.sha256(of.encode()).hexdigest()[:32]
            found.append(Shot(folder / file_name(item.id, n), *shot, given, made))
    return found


def file_name(prompt_id: str, n: int) -> str:
    """``<prompt_id>-<n>.png``."""
    return f"{prompt_id}-{n}.png"


def write_inputs(items: Sequence[Item], how: str, folder: Path) -> list[tuple[Path, ...]]:
    """Files of what the model is given with each item: the pictures to edit, or the one to reconstruct."""
    found = []
    for item in items:
        given = item.inputs if how == "sample" else (item.target,)
        paths = [folder / f"{item.id}-{n}.png" for n in range(len(given))]
        for path, picture in zip(paths, given, strict=True):
            if picture is not None and not path.exists():
                replace_picture(path, Image.fromarray(picture))
        found.append(tuple(paths))
    return found


def draw(wanted: Sequence[Shot], sampling: Sampling, gpus: int, what: str) -> list[Path]:
    """Make those of ``wanted`` that are not there; the files of those that came out with numbers that are not finite.

    Raises RunFailed where none came out well.
    """
    made = {folder: _made(folder / _MADE) for folder in {shot.path.parent for shot in wanted}}
    new = [s for s in wanted if made[s.path.parent].get(s.path.name) != s.made or not _is_whole(s.path)]
    parts = list(_cut(new))
    failed: list[Path] = []
    drawn = 0
    if parts:
        with progress(f"draw {what}", len(new), "pictures") as counter:
            for part, lost in _work(parts, sampling, gpus):
                _note([shot for shot in part.shots if shot.path not in lost])
                failed, drawn = failed + lost, drawn + len(part.shots) - len(lost)
                counter.add(len(part.shots))
                if not drawn and len(failed) >= min(len(new), _FAILING):
                    raise RunFailed(
                        f"{what}: the model draws only numbers that are not finite; a weight is damaged, or too large for "
                        "its dtype"
                    )
    return failed


def _cut(new: Sequence[Shot]) -> Iterator[_Part]:
    part: list[Shot] = []
    for shot in new:
        if part and (len(part) == _TOGETHER or sum(s.width * s.height for s in [*part, shot]) > _PIXELS):
            yield _Part(part[0].path.name, tuple(part))
            part = []
        part.append(shot)
    if part:
        yield _Part(part[0].path.name, tuple(part))


def _made(path: Path) -> dict[str, str]:
    """Name of a picture -> what it was made from. A killed process may have left half a line."""
    found: dict[str, str] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        name, _, made = line.rpartition(" ")
        found[name] = made
    return found


def _note(drawn: Sequence[Shot]) -> None:
    for shot in drawn:
        append_line(shot.path.parent / _MADE, f"{shot.path.name} {shot.made}")


def _is_whole(path: Path) -> bool:
    try:
        load(path)
    except (OSError, DecodeError):
        return False
    return True


def _work(parts: Sequence[_Part], sampling: Sampling, gpus: int) -> Iterator[tuple[_Part, list[Path]]]:
    if gpus:
        yield from cluster.each(parts, "draw", Artist, (sampling,), workers=gpus, gpus=1.0)
        return
    yield from map(Artist(sampling), parts)


class Artist:
    """A model on its device; draws a part and says which of it came to nothing."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        dtype = getattr(torch, sampling.dtype) if sampling.dtype else None
        self.model = QwenImage.load(sampling.folder, dtype, sampling.device, max_tokens=sampling.max_tokens)
        if sampling.fresh:
            self.model = without_training(self.model)

    def __call__(self, part: _Part) -> tuple[_Part, list[Path]]:
        lost: list[Path] = []
        for how in dict.fromkeys(shot.how for shot in part.shots):
            chosen = [shot for shot in part.shots if shot.how == how]
            lost += self._kept(chosen, self._sampled if how == "sample" else self._reconstructed)
        return part, lost

    def _kept(self, chosen: Sequence[Shot], make: Callable[[Sequence[Shot]], list[np.ndarray]]) -> list[Path]:
        """Write the pictures. One that is not finite spoils those beside it, so each is tried alone then."""
        try:
            made = make(chosen)
        except RunFailed:
            if len(chosen) == 1:
                chosen[0].path.unlink(missing_ok=True)
                return [chosen[0].path]
            return [path for shot in chosen for path in self._kept([shot], make)]
        for shot, picture in zip(chosen, made, strict=True):
            replace_picture(shot.path, Image.fromarray(picture))
        return []

    def _sampled(self, chosen: Sequence[Shot]) -> list[np.ndarray]:
        images = self.model.sample(
            [shot.prompt for shot in chosen],
            height=[shot.height for shot in chosen],
            width=[shot.width for shot in chosen],
            steps=self.sampling.steps,
            cfg=self.sampling.cfg,
            negative=self.sampling.negative,
            seed=[shot.seed for shot in chosen],
            references=[[Image.fromarray(load(path)) for path in shot.inputs] for shot in chosen],
            reference_area=self.sampling.reference_area,
            vision_area=self.sampling.vision_area,
        )
        return [np.asarray(image) for image in images]

    @torch.no_grad()
    def _reconstructed(self, chosen: Sequence[Shot]) -> list[np.ndarray]:
        return [reconstruct(self.model.vae, load(shot.inputs[0])) for shot in chosen]


@torch.no_grad()
def reconstruct(vae: torch.nn.Module, picture: np.ndarray) -> np.ndarray:
    """What a VAE makes of uint8 (H, W, 3), through the posterior's mean. Raises RunFailed where it is not finite."""
    decoded = vae.decode(vae.encode(pixels(Image.fromarray(picture)))).float()  # type: ignore[operator]
    if not decoded.isfinite().all():
        raise RunFailed("a reconstruction came out with numbers that are not finite")
    image: np.ndarray = ((decoded[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    return image


def without_training(trained: QwenImage) -> QwenImage:
    """The same parts around a transformer with fresh weights: the difference is what training did."""
    like = next(trained.transformer.parameters())
    fresh = new_transformer(trained.transformer.config, seed=0).to(like).eval()
    return QwenImage(fresh, trained.vae, trained.conditioner, trained.schedule)


def _digest(path: Path) -> str:
    return hashlib.sha256(load(path).tobytes()).hexdigest()
