"""Recipes the tests share, loaded once."""

from __future__ import annotations

from functools import cache

import numpy as np

from synth import Recipe, Sample

PURE = "tests/synth/plain.yaml"  # horizontal and plain: boxes are easily compared with pixels
SHIPPED = "configs/synth/pure.yaml"
GLYPHS = "configs/synth/glyphs.yaml"


@cache
def recipe(path: str, *overrides: str) -> Recipe:
    return Recipe.load(path, overrides)


@cache
def sample(path: str, index: int, *overrides: str) -> Sample:
    return recipe(path, *overrides).render(index)


def pixels(sample_: Sample) -> np.ndarray:
    return np.asarray(sample_.image).astype(int)
