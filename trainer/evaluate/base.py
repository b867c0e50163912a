"""What a suite is: items to draw, and how one picture of an item is judged.

    Suite.items() ──> Item ──drawn──> picture ──read──> lines ──judge──> Judged ──means.py──> figures
                        └──clean──> a rendering of the same text: the reader's ceiling

A suite is a class with a name, derived from ``Suite``; ``suites/registry.py`` lists it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

if TYPE_CHECKING:
    from trainer.evaluate.config import EvaluateConfig

Ratio = tuple[float, float]
"""Hits and what they are out of: figures are sums of the former over sums of the latter."""

Judged = dict[str, Ratio]
"""By metric, of one picture."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, px."""


@dataclass(frozen=True)
class Glyph:
    """A character of a clean rendering, in the box of its ink."""

    text: str
    box: Box


@dataclass(frozen=True)
class Clean:
    """A rendering of an item's text as it should be. ``picture``: uint8 (H, W, 3)."""

    picture: np.ndarray
    glyphs: tuple[Glyph, ...] = ()


@dataclass(frozen=True, eq=False)
class Item:
    """One thing to draw, ``width`` x ``height`` px. ``id``: pictures of it are named by it. ``texts``: what should stand
    in it. ``group``: figures are given for each (level, language, operation), of "a, b" for both. ``inputs``: uint8 (H, W, 3) pictures that the
    model is given; ``target``: what it should draw, where that is known. ``box``: the part that is read; None for all."""

    id: str
    prompt: str
    width: int
    height: int
    texts: tuple[str, ...] = ()
    group: str = ""
    held_out: bool = True
    inputs: tuple[np.ndarray, ...] = ()
    target: np.ndarray | None = None
    box: Box | None = None
    clean: Clean | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


@dataclass(frozen=True)
class Subject:
    """What is evaluated. ``checkpoint``: as it was named; ``folder``: the diffusers folder of it. ``dtype``: of torch, by
    name; None: as stored."""

    checkpoint: Path
    folder: Path
    device: str
    dtype: str | None


@dataclass(frozen=True)
class Whole:
    """Figures of all pictures of a suite together, and why others are missing."""

    figures: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Suite(ABC):
    """``main``: the metric that is the suite's score. ``anchors``: what others reached, for the table."""

    name: ClassVar[str]
    main: ClassVar[str]
    draws: ClassVar[Literal["sample", "reconstruct", "nothing"]] = "sample"
    reads: ClassVar[bool] = True
    one_line: ClassVar[bool] = False  # pictures are one line at most: the detector would miss lone small glyphs
    untrained: ClassVar[bool] = False  # whether fresh weights are shown beside trained ones
    lower_is_better: ClassVar[bool] = False
    weights: ClassVar[dict[str, float]] = {}  # of groups in the score; empty: all pictures alike
    anchors: ClassVar[str] = ""

    def __init__(self, config: EvaluateConfig) -> None:
        self.config = config

    @abstractmethod
    def items(self) -> list[Item]:
        """What is to be drawn. Raises UserError for files that are missing or of another form."""

    def check(self, subject: Subject | None) -> None:  # noqa: B027 - most suites need nothing more
        """Raises UserError for what would end the suite after its pictures are drawn: weights and rows that it needs then."""

    def clean(self, items: Sequence[Item]) -> Iterator[Clean | None]:
        """A clean rendering of each, one at a time; None where its text cannot be shown whole."""
        yield from (item.clean for item in items)

    def judge(self, item: Item, lines: Sequence[str]) -> Judged:
        """What was read in one picture against what was asked. ``precision`` is the part of it that was asked for."""
        return {}

    def look(self, items: Sequence[Item], pictures: Sequence[np.ndarray]) -> list[Judged]:
        """What is seen without a reader, picture by picture."""
        return [{} for _ in items]

    def together(self, items: Sequence[Item], pictures: Iterable[np.ndarray]) -> Whole:
        """What only all pictures together say; they come one at a time."""
        return Whole()

    def measure(self, subject: Subject) -> list[tuple[Item, Judged]]:
        """Of suites that draw nothing: what is measured on the model itself."""
        raise NotImplementedError(self.name)
