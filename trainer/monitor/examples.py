"""What is sampled while training goes on: the config's prompts with their references, and rows of the dataset.

samples.prompts, samples.references ──files──────> Example ─┐
samples.rows ──where──> first rows ──read, decode─> Example ─┴─> samples.py
"""

from __future__ import annotations

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
from trainer.tasks import TASKS


@dataclass(frozen=True)
class Example:
    """What a picture is made of. ``size``: width, height in px. ``target``: what the dataset has for it, or None."""

    prompt: str
    size: tuple[int, int]
    references: tuple[Image.Image, ...] = ()
    target: Image.Image | None = None


def examples(config: SamplesConfig, data: Data, where: str) -> list[Example]:
    """All that ``config`` names. ``where``: of rows, unless it says it.

    Raises UserError for a reference that is missing or no picture, and where no row can be shown.
    """
    given = [*config.references, *[()] * (len(config.prompts) - len(config.references))]
    named = [
        Example(prompt, config.size, tuple(_read(path) for path in paths))
        for prompt, paths in zip(config.prompts, given, strict=True)
    ]
    return [*named, *(_of_row(row, config, data) for row in _rows(config, data, config.where or where))]


def _rows(config: SamplesConfig, data: Data, where: str) -> list[int]:
    """Numbers of the first rows that hold what their task needs."""
    if not config.rows:
        return []
    predicate = parse(where, "field 'samples.where'")
    predicate.arrow(data.manifest_schema)  # says which column is unknown before any is read
    table = data.manifest(list(dict.fromkeys(["task", "n_captions", "n_instructions", *predicate.columns])))
    texts = pc.if_else(pc.equal(table["task"], "t2i"), table["n_captions"], table["n_instructions"])
    shown = pc.and_kleene(predicate.evaluate(table), pc.greater(texts, 0)).combine_chunks().fill_null(False)
    found = np.flatnonzero(shown.to_numpy(zero_copy_only=False))[: config.rows].tolist()
    if not found:
        raise UserError(
            f"field 'samples.rows': the dataset has no row with a text where {where}; name others: samples.where"
        )
    return found


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
