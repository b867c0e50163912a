"""Where a rule of ``decide`` cuts a score, as far as one line on a chart can tell it.

keep: clarity >= 40 and 0.1 < luma < 0.9   ──cuts──>   clarity above 40, luma above 0.1 and below 0.9
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.predicate import parse


@dataclass(frozen=True)
class Cut:
    """A rule keeps values on the ``side`` (``above``, ``below``, ``equal``) of ``value``."""

    column: str
    side: str
    value: float


_SIDES = {ast.Gt: "above", ast.GtE: "above", ast.Lt: "below", ast.LtE: "below", ast.Eq: "equal"}
_FLIP = {"above": "below", "below": "above", "equal": "equal"}


def cuts(expression: str) -> list[Cut]:
    """Comparisons of one column with one number that ``expression`` (joined by ``and``) demands.

    Anything but plain comparisons is left out: a chart cannot show it as one line.
    Raises UserError for what is no expression.
    """
    return list(_cuts(parse(expression).tree))


def _cuts(node: ast.expr) -> Iterable[Cut]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        for value in node.values:
            yield from _cuts(value)
    elif isinstance(node, ast.Compare):
        terms = [node.left, *node.comparators]
        for left, operator, right in zip(terms, node.ops, terms[1:], strict=False):
            side = _SIDES.get(type(operator))
            if side is None:
                continue
            if isinstance(left, ast.Name) and (value := _number(right)) is not None:
                yield Cut(left.id, side, value)
            elif isinstance(right, ast.Name) and (value := _number(left)) is not None:
                yield Cut(right.id, _FLIP[side], value)


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    return None
