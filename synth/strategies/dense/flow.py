"""Items into columns, one after the other.

A heading stays with the lines under it, a table in one piece, a paragraph may go on in the next column. Lengths are in em
of the body unless said otherwise; all numbers are chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from synth.typeset.layout import Measure
from synth.typeset.setting import Align
from synth.typeset.shaped import Shaped, Span

GUTTER = 2.0
_ROW = 1.5  # height of a table's row
_KEEP = 2  # lines that stand under a heading in its column


@dataclass(frozen=True, eq=False)
class Item:
    """A text as it is set: ``scale`` to the body, ``before``: room above; ``keep``: stays with what follows."""

    role: str
    shaped: Shaped
    scale: float = 1.0
    spacing: float = 1.45
    indent: float = 0.0
    before: float = 0.0
    align: Align = "left"
    left: float = 0.0
    keep: bool = False

    def measure(self, width: float, size: float) -> Measure:
        return Measure(width - self.left * size, 0.0, self.spacing, 0.0, True, self.indent)

    def lines(self, width: float, size: float) -> list[Span] | None:
        """Its lines where the body has ``size`` px in a column of ``width`` px."""
        return self.measure(width, size).lines(self.shaped, size * self.scale)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of cells, each on a line of its own; ``widths``: of the columns."""

    rows: tuple[tuple[Shaped, ...], ...]
    widths: tuple[float, ...]
    before: float = 0.8


@dataclass(frozen=True, eq=False)
class Placed:
    """Something at its place in px: lines of an item, or a rule from ``at`` on, ``width`` px long."""

    at: tuple[float, float]
    size: float
    item: Item | None = None
    lines: Sequence[Span] = ()
    width: float = 0.0
    column: int = 0


class Flow:
    """Items into columns, one after the other; ``run`` gives None where they do not fit."""

    def __init__(
        self,
        items: Sequence[Item | Table],
        columns: int,
        size: float,
        width: float,
        start: tuple[float, float],
        bottom: float,
    ) -> None:
        self.items, self.columns, self.size, self.width, self.bottom = items, columns, size, width, bottom
        self.left, self.top = start
        self.column, self.y, self.placed = 0, self.top, list[Placed]()

    def run(self) -> list[Placed] | None:
        for number, item in enumerate(self.items):
            if not (self._table(item) if isinstance(item, Table) else self._text(item, number)):
                return None
        return self.placed

    def _least(self, number: int) -> float:
        """Px that an item wants at the foot of a column, at least, with all that it keeps under it; 0 behind the last."""
        if number == len(self.items):
            return 0.0
        item = self.items[number]
        if isinstance(item, Table):
            return item.before * self.size + len(item.rows) * _ROW * self.size
        lines = item.lines(self.width, self.size) or []
        before, own = item.before * self.size, self.size * item.scale
        if item.keep:
            return before + len(lines) * item.spacing * own + self._least(number + 1)
        return before + item.measure(self.width, self.size).height_of(lines[:_KEEP], own)

    @property
    def x(self) -> float:
        return self.left + self.column * (self.width + GUTTER * self.size)

    def _next_column(self) -> bool:
        self.column, self.y = self.column + 1, self.top
        return self.column < self.columns

    def _space(self, before: float) -> None:
        if self.y > self.top:
            self.y += before * self.size

    def _text(self, item: Item, number: int) -> bool:
        lines = item.lines(self.width, self.size)
        if lines is None:
            return False
        own = self.size * item.scale
        self._space(item.before)
        if item.keep:
            least = len(lines) * item.spacing * own + self._least(number + 1)
            if self.y + least > self.bottom and not self._next_column():
                return False
        while lines:
            room = (
                int((self.bottom - self.y - own) / (item.spacing * own) + 1 + 1e-6)
                if self.y + own <= self.bottom
                else 0
            )
            if room == 0:
                if self.top + own > self.bottom or not self._next_column():
                    return False
                continue
            if len(lines) > room:  # neither the first nor the last line of a paragraph stands alone in a column
                room = 0 if room == 1 and self.y > self.top else room - (len(lines) == room + 1 and room > _KEEP)
                if room == 0:
                    if not self._next_column():
                        return False
                    continue
            part, lines = lines[:room], lines[room:]
            at = (self.x + item.left * self.size, self.y)
            width = self.width - item.left * self.size
            self.placed.append(Placed(at, self.size, item, part, width, self.column))
            self.y += len(part) * item.spacing * own
        return True

    def _table(self, table: Table) -> bool:
        """All of its rows in one column, rules above and below its header and at its end."""
        height, stretch = _ROW * self.size, self.width / (sum(table.widths) * self.size)
        if stretch < 1:
            return False
        stretch = min(stretch, 1.6)
        self._space(table.before)
        if self.y + len(table.rows) * height > self.bottom and not self._next_column():
            return False
        if self.y + len(table.rows) * height > self.bottom:
            return False
        across = [sum(table.widths[:k]) * stretch * self.size for k in range(len(table.widths) + 1)]
        for above in (0, 1, len(table.rows)):
            at = (self.x, self.y + above * height - 0.1 * self.size)
            self.placed.append(Placed(at, self.size, width=across[-1], column=self.column))
        for number, row in enumerate(table.rows):
            for k, cell in enumerate(row):
                item = Item("cell", cell)
                lines = cell.wrap(math.inf, 0.0)
                assert lines  # in endless room everything fits
                at = (self.x + across[k], self.y + number * height + 0.2 * self.size)
                self.placed.append(Placed(at, self.size, item, lines, column=self.column))
        self.y += (len(table.rows) + 0.4) * height
        return True
