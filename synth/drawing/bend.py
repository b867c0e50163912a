"""Sheets that are not flat: print round a cylinder, on cloth in folds, on the page of an open book.

    a point of the flat sheet ──along──> a point of the thing that it lies on ──matrix──> a point of the canvas

A bend is a formula: what is painted (as a fine mesh) and the regions around what is written go through the same one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from synth.geometry import Matrix, apply


@dataclass(frozen=True, eq=False)
class Bend(ABC):
    """How a flat sheet lies on a thing.

    ``matrix``: from the thing's px to the canvas. ``darkest``: the least light, of 1, in which what is on it is seen.
    """

    matrix: Matrix
    darkest: float = 0.0

    @abstractmethod
    def along(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) px of the thing, for (N, 2) px of the flat sheet."""

    @abstractmethod
    def shade(self, points: np.ndarray) -> np.ndarray:
        """(N,) light that falls on points of the flat sheet, 1 where colors stay."""

    def at(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) px of the canvas, for (N, 2) px of the flat sheet."""
        return apply(self.matrix, self.along(points))

    def light(self, points: np.ndarray) -> np.ndarray:
        """(N,) the shade that is painted, ``darkest`` to 1."""
        return np.clip(self.shade(points), self.darkest, 1.0)

    def under(self, matrix: Matrix) -> Self:
        """The same bend where ``matrix`` takes what was the canvas somewhere else."""
        return replace(self, matrix=matrix @ self.matrix)


@dataclass(frozen=True, eq=False)
class Cylinder(Bend):
    """Round an upright cylinder seen from a little above, in parallel projection.

    The sheet's x is an arc from the middle of the front, its y runs down from ``top``; ``middle`` and ``top`` are px of
    the thing. ``drop``: of the radius, how far the front of a circle hangs below its sides: the sine of the angle from
    which it is looked down on. ``sun``: radians from the front at which the light falls straight.
    """

    radius: float = 1.0
    middle: float = 0.0
    top: float = 0.0
    drop: float = 0.2
    sun: float = -0.5

    def along(self, points: np.ndarray) -> np.ndarray:
        angle = points[:, 0] / self.radius
        x = self.middle + self.radius * np.sin(angle)
        y = self.top + points[:, 1] + self.drop * self.radius * np.cos(angle)
        return np.stack((x, y), axis=1)

    def shade(self, points: np.ndarray) -> np.ndarray:
        return round_shade(points[:, 0] / self.radius, self.sun)


def round_shade(angle: np.ndarray, sun: float) -> np.ndarray:
    """The light on an upright round thing at ``angle`` (radians from the front): Lambert's cosine over an even part.

    The two parts are chosen.
    """
    return 0.42 + 0.6 * np.clip(np.cos(angle - sun), 0, None)


@dataclass(frozen=True, eq=False)
class Cloth(Bend):
    """Cloth in folds: a few waves of height ``waves`` (K, 4: their steps across and down in radians a px, their phase,
    their height in px), seen from the side by ``lean`` (x, y), so that what is high is moved.

    ``pinned``: px from the left within which the folds grow, of cloth that is held there; 0 for none.
    """

    waves: tuple[tuple[float, float, float, float], ...] = ()
    lean: tuple[float, float] = (0.4, 0.5)
    pinned: float = 0.0

    def along(self, points: np.ndarray) -> np.ndarray:
        height = np.zeros(len(points))
        for across, down, phase, size in self.waves:
            height += size * np.sin(points @ (across, down) + phase)
        return points + np.outer(height * self._free(points), self.lean)

    def shade(self, points: np.ndarray) -> np.ndarray:
        """Slopes that face away from the light, which comes from the left, are darker."""
        slope = np.zeros(len(points))
        for across, down, phase, size in self.waves:
            slope += size * (across + 0.4 * down) * np.cos(points @ (across, down) + phase)
        return 0.93 + 0.8 * slope * self._free(points)

    def _free(self, points: np.ndarray) -> np.ndarray:
        """(N,) 0 where the cloth is held, 1 where it is not."""
        return np.clip(points[:, 0] / self.pinned, 0, 1) if self.pinned else np.ones(len(points))


@dataclass(frozen=True, eq=False)
class Leaf(Bend):
    """A page of an open book of ``width`` px, whose x counts from the gutter at ``gutter``, to the right for ``side`` 1
    and to the left for -1: it rises out of the gutter by ``height`` px and falls towards its edge."""

    width: float = 1.0
    height: float = 0.0
    gutter: float = 0.0
    side: int = 1

    def along(self, points: np.ndarray) -> np.ndarray:
        x = self.gutter + points[:, 0] if self.side > 0 else self.gutter - self.width + points[:, 0]
        return np.stack((x, points[:, 1] - self.height * self._rise(points)), axis=1)

    def shade(self, points: np.ndarray) -> np.ndarray:
        out = self._out(points)
        return 1.0 - 0.45 * np.exp(-out / 0.07) - 0.06 * out

    def _out(self, points: np.ndarray) -> np.ndarray:
        """How far from the gutter, 0 to 1."""
        out = points[:, 0] / self.width
        return np.clip(out if self.side > 0 else 1 - out, 0, 1)

    def _rise(self, points: np.ndarray) -> np.ndarray:
        return np.asarray(np.sin(np.pi * np.sqrt(self._out(points))))
