"""Formulas of facts: arithmetic over names, as in "= round(subtotal * rate, 2)" or "= sum(items.amount)".

Names with dots walk into records; a list of records gives the list of that field. There are + - * / // %, comparisons, ``and``,
``or``, ``not``, ``a if b else c``, and the functions in ``_FUNCTIONS``; nothing else is worked out.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

_OPERATORS: dict[type[Any], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _later(day: date, days: float) -> date:
    return day + timedelta(days=int(days))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": lambda values: round(sum(values), 6),
    "round": round,
    "len": len,
    "min": min,
    "max": max,
    "abs": abs,
    "int": int,
    "later": _later,
}


def evaluate(formula: str, values: Mapping[str, Any]) -> Any:
    """What a formula comes to. Raises ValueError naming it where a name is missing or it is no formula."""
    try:
        return _value(_parsed(formula), values)
    except (KeyError, TypeError, SyntaxError, ZeroDivisionError, IndexError, AttributeError) as error:
        raise ValueError(f"the formula '{formula}' cannot be worked out: {error}") from None


@lru_cache(maxsize=4096)
def _parsed(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.Attribute):
        return _member(_value(node.value, values), node.attr)
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _OPERATORS[type(node.ops[0])](_value(node.left, values), _value(node.comparators[0], values))
    if isinstance(node, ast.BoolOp):
        found = [bool(_value(part, values)) for part in node.values]
        return all(found) if isinstance(node.op, ast.And) else any(found)
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, values)
        return not inner if isinstance(node.op, ast.Not) else -inner
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, values) else node.orelse, values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _FUNCTIONS[node.func.id](*(_value(argument, values) for argument in node.args))
    raise TypeError(f"{type(node).__name__} is not allowed")


def _member(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_member(item, name) for item in value]
    return value[name]
