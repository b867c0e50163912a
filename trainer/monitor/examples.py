"""What is sampled while training goes on: the config's prompts with their references, and rows of the dataset.

samples.prompts, samples.references ──files──────> Example ─┐
samples.rows ──where──> first rows ──read, decode─> Example ─┴─> samples.py
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from PIL import Image

from configs import UserError
from configs.pictures import DecodeError, Limits, decode
from pipeline.predicate import parse
from trainer.data.folder import Data
from trainer.data.pictures import SamplePictures, StoredPictures
from trainer.monitor.config import SamplesConfig
from trainer.order.conditions import fits_encoders
from trainer.tasks import TASKS


@dataclass(frozen=True)
class Example:
    """What a picture is made of. ``size``: width, height in px. ``target``: what the dataset has for it, or None."""

    prompt: str
    size: tuple[int, int]
    references: tuple[Image.Image, ...] = ()
    target: Image.Image | None = None


def examples(config: SamplesConfig, data: Data, where: str, most: int) -> list[Example]:
    """All that ``config`` names. ``where``: of rows, unless it says it. ``most``: references that the model takes.

    Raises UserError for a reference that is missing or no picture, and where no row can be shown.
    """
    given = [*config.references, *[()] * (len(config.prompts) - len(config.references))]
    named = [
        Example(prompt, config.size, tuple(_read(path) for path in paths))
        for prompt, paths in zip(config.prompts, given, strict=True)
    ]
    return [*named, *(_of_row(row, config, data) for row in _rows(config, data, config.where or where, most))]


def _rows(config: SamplesConfig, data: Data, where: str, most: int) -> list[int]:
    """Numbers of the first rows that hold what their task needs, and no references that training would leave out."""
    if not config.rows:
        return []
    predicate = parse(where, "field 'samples.where'")
    predicate.arrow(data.manifest_schema)  # says which column is unknown before any is read
    table = data.manifest(
        list(dict.fromkeys(["task", "n_captions", "n_instructions", "ref_sizes", *predicate.columns]))
    )
    texts = pc.if_else(pc.equal(table["task"], "t2i"), table["n_captions"], table["n_instructions"])
    shown = pc.and_kleene(predicate.evaluate(table), pc.greater(texts, 0)).combine_chunks().fill_null(False)
    sizes = table["ref_sizes"]
    candidates = np.flatnonzero(shown.to_numpy(zero_copy_only=False)).tolist()
    drawable = (row for row in candidates if _are_taken(sizes[row].as_py() or [], most))
    found = list(itertools.islice(drawable, config.rows))
    if not found:
        raise UserError(
            f"field 'samples.rows': the dataset has no row with a text, and with references that the model takes, where "
            f"{where}; name others: samples.where"
        )
    return found


def _are_taken(sizes: list[int], most: int) -> bool:
    """Whether references of (w, h, w, h ...) px are as many as the model takes, none of them too thin."""
    pairs = np.array(sizes, dtype=np.int64).reshape(-1, 1, 2)
    return len(pairs) <= most and bool(fits_encoders(pairs).all())


def _of_row(row: int, config: SamplesConfig, data: Data) -> Example:
    (texts,) = data.read_texts([row])
    (task,) = data.manifest(["task"])["task"].slice(row, 1).to_pylist()
    stored = StoredPictures(data, {row: True})
    pictures = SamplePictures(stored, row)
    target = pictures.whole()
    count = len(stored.of(row).references)
    references = {"t2i": (), "i2i": (target,)}.get(task, tuple(pictures.reference(i) for i in range(count)))
    ideal = math.sqrt(config.size[0] * config.size[1] / (target.width * target.height))
    size = (_sixteens(target.width * ideal), _sixteens(target.height * ideal))
    return Example(TASKS[task].texts(texts)[0], size, references, target)


def _sixteens(side: float) -> int:
    return max(round(side / 16), 1) * 16


def _read(path: str) -> Image.Image:
    try:
        return Image.fromarray(decode(Path(path).read_bytes(), Limits()))
    except OSError as error:
        raise UserError(f"field 'samples.references': {path}: cannot be read: {error.strerror}") from None
    except DecodeError as error:
        raise UserError(f"field 'samples.references': {path}: {error}") from None
