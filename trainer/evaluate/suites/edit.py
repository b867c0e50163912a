"""Edits: our own held-out pairs, operation by operation.

recipe, another seed ──> picture before, instruction, picture after
                              where the two differ: the edited region ──its text read──> characters
                              everywhere else ──────────────────────────────────────────> PSNR
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

import configs
from configs import UserError
from synth.recipe import Recipe, RecipeConfig
from synth.sample import Sample
from synth.strategies.edit.strategy import EditStrategy
from trainer.evaluate.base import Box, Item, Judged, Suite
from trainer.evaluate.reading.clean import of_sample
from trainer.evaluate.scores.exact import judge_text
from trainer.evaluate.scores.pictures import psnr

_OTHER_SEED = 1_000_003  # added to the recipe's seed: no pair of training comes again
_AROUND = 6  # px around the edited region that are read, too: glyphs cut at their edge are misread; chosen
_INSIDE = 0.5  # of a line's area: a line that is mostly inside of the region is read there; chosen


class Edit(Suite):
    name: ClassVar[str] = "edit"
    main = "characters"

    def items(self) -> list[Item]:
        wanted = self.config.edit
        config = configs.load(wanted.recipe, RecipeConfig)
        if not isinstance(config.strategy, EditStrategy):
            raise UserError(f"field 'edit.recipe': {wanted.recipe} renders no edit pairs; its strategy is no edit")
        return [
            item for operation in config.strategy.operations for item in _pairs(config, str(operation), wanted.count)
        ]

    def judge(self, item: Item, lines: Sequence[str]) -> Judged:
        return judge_text(item.text.replace("\n", ""), "".join(lines))

    def look(self, items: Sequence[Item], pictures: Sequence[np.ndarray]) -> list[Judged]:
        return [_outside(item, picture) for item, picture in zip(items, pictures, strict=True)]


def _pairs(config: RecipeConfig, operation: str, count: int) -> list[Item]:
    assert isinstance(config.strategy, EditStrategy)
    strategy = replace(config.strategy, operations={operation: 1.0})  # type: ignore[dict-item]
    recipe = Recipe(replace(config, strategy=strategy, seed=config.seed + _OTHER_SEED))
    return [_item(recipe.render(n), operation, n) for n in range(count)]


def _item(sample: Sample, operation: str, number: int) -> Item:
    assert sample.reference is not None
    before, after = np.asarray(sample.reference), np.asarray(sample.image)
    box = edited_region(before, after)
    height, width = after.shape[:2]
    return Item(
        f"{operation}-{number}",
        sample.instructions[0].text if sample.instructions else sample.captions[0].text,
        width,
        height,
        texts=_texts(sample, box),
        group=operation,
        inputs=(before,),
        target=after,
        box=box,
        clean=of_sample(sample),
    )


def edited_region(before: np.ndarray, after: np.ndarray) -> Box:
    """The box around all that differs, with a margin; the whole picture where nothing does."""
    height, width = after.shape[:2]
    rows, columns = np.nonzero((before != after).any(2))
    if not len(rows):
        return 0, 0, width, height
    return (
        max(0, int(columns.min()) - _AROUND),
        max(0, int(rows.min()) - _AROUND),
        min(width, int(columns.max()) + 1 + _AROUND),
        min(height, int(rows.max()) + 1 + _AROUND),
    )


def _texts(sample: Sample, box: Box) -> tuple[str, ...]:
    """Lines of the picture after the edit that stand mostly in the box, in reading order."""
    lines = [region for region in sample.regions if region.level == "line"]
    return tuple(line.text for line in lines if _share_inside(line.quad, box) >= _INSIDE)


def _share_inside(quad: Sequence[float], box: Box) -> float:
    x, y = quad[::2], quad[1::2]
    left, top, right, bottom = min(x), min(y), max(x), max(y)
    inside = max(0.0, min(right, box[2]) - max(left, box[0])) * max(0.0, min(bottom, box[3]) - max(top, box[1]))
    return inside / max(1e-9, (right - left) * (bottom - top))


def _outside(item: Item, picture: np.ndarray) -> Judged:
    """PSNR of what was to stay; nothing where all was to change."""
    assert item.target is not None
    assert item.box is not None
    if picture.shape != item.target.shape:
        sizes = f"{picture.shape[1]} x {picture.shape[0]} px, expected {item.width} x {item.height}"
        raise UserError(f"suite edit: the picture of {item.id} has {sizes}; an edit keeps the size")
    left, top, right, bottom = item.box
    outside = np.ones(picture.shape[:2], bool)
    outside[top:bottom, left:right] = False
    return {"psnr_outside": (psnr(picture, item.target, outside), 1.0)} if outside.any() else {}
