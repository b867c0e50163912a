"""Where a rule of ``decide`` cuts a score, as far as one line on a chart can show it.

keep: clarity >= 40 and 0.1 < luma < 0.9   ──cuts──>   clarity above 40, luma above 0.1 and below 0.9
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.predicate import parse


@dataclass(frozen=True)
class Cut:
    """A rule keeps values on the ``side`` (``above``, ``below``, ``equal``) of ``value``, itself among them if ``closed``.

    ``quantity``: a column, or arithmetic over columns as an expression.
    """

    quantity: str
    side: str
    value: float
    closed: bool = True

    def keeps(self, values: np.ndarray) -> np.ndarray:
        """Which of ``values`` lie on its side."""
        if self.side == "equal":
            return values == self.value
        compare: dict[tuple[str, bool], Callable[[np.ndarray, float], np.ndarray]] = {
            ("above", True): operator.ge,
            ("above", False): operator.gt,
            ("below", True): operator.le,
            ("below", False): operator.lt,
        }
        return compare[self.side, self.closed](values, self.value)


_SIDES = {ast.Gt: "above", ast.GtE: "above", ast.Lt: "below", ast.LtE: "below", ast.Eq: "equal"}
_OPEN = (ast.Gt, ast.Lt)
_FLIP = {"above": "below", "below": "above", "equal": "equal"}


def cuts(expression: str) -> list[Cut]:
    """Comparisons of a quantity with a number that ``expression`` (joined by ``and``) demands.

    Anything but such comparisons is left out: a chart cannot show it as one line.
    Raises UserError for what is no expression.
    """
    return list(_cuts(parse(expression).tree))


def _cuts(node: ast.expr) -> Iterable[Cut]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        for value in node.values:
            yield from _cuts(value)
    elif isinstance(node, ast.Compare):
        terms = [node.left, *node.comparators]
        for left, sign, right in zip(terms, node.ops, terms[1:], strict=False):
            side = _SIDES.get(type(sign))
            if side is None:
                continue
            if (limit := _number(right)) is not None and _number(left) is None:
                yield Cut(ast.unparse(left), side, limit, not isinstance(sign, _OPEN))
            elif (limit := _number(left)) is not None and _number(right) is None:
                yield Cut(ast.unparse(right), _FLIP[side], limit, not isinstance(sign, _OPEN))


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    return None


_ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def values(rows: pl.DataFrame, quantity: str) -> pl.Series | None:
    """The ``quantity`` of a ``Cut`` for every row, float64; None where ``rows`` lacks a column of it."""
    found = expression(rows, quantity)
    return None if found is None else rows.lazy().select(value=found).collect()["value"]


def expression(rows: pl.DataFrame, quantity: str) -> pl.Expr | None:
    """As ``values``, to be computed by Polars."""
    tree = ast.parse(quantity, mode="eval").body
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if not names or not all(name in rows.columns and rows.schema[name].is_numeric() for name in names):
        return None
    return _compute(tree)


def _compute(node: ast.expr) -> pl.Expr:
    match node:
        case ast.Name(id=name):
            return pl.col(name).cast(pl.Float64)
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_compute(left), _compute(right))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_compute(inner)
        case ast.Constant(value=value):
            return pl.lit(value, pl.Float64)
    raise ValueError(f"no arithmetic: {ast.unparse(node)}")
