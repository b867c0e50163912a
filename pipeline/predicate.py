"""The expression language of ``--where``, decide rules and phase predicates.

    "stage_from <= 4 and text_level in (1, 2) and not text_language == 'other'"
        ──parse──> Predicate ──check(kinds)──> .arrow() / .polars() / .evaluate(table)

Names of columns, numbers, 'strings', true, false; comparisons (also chained: 0.1 < luma < 0.9), ``in``,
``is null``, ``and``, ``or``, ``not``, ``+ - * /``. Null makes a comparison unknown, and unknown goes
through ``and``, ``or``, ``not`` as in SQL. NaN counts as null, so does what is divided by zero, and arithmetic
is done in float64, so that Arrow and Polars agree on every row. Imports pyarrow only; Polars where it is asked for.
"""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import UserError
from pipeline.schema import RENAMED

if TYPE_CHECKING:
    import polars as pl

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
}
_CONSTANTS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_ALLOWED = "columns, numbers, 'strings', true, false, comparisons, in, is null, and, or, not, + - * /"


@dataclass(frozen=True)
class Predicate:
    """A parsed expression. ``columns``: the names it uses, sorted."""

    text: str
    where: str
    tree: ast.expr
    columns: tuple[str, ...]

    def check(self, kinds: Mapping[str, str]) -> None:
        """``kinds``: column -> number, string, bool or other. Raises UserError for unknown columns and wrong types."""
        for name in self.columns:
            if name not in kinds:
                if (now := RENAMED.get(name)) in kinds:
                    raise UserError(f"{self.where}: column '{name}' in '{self.text}' is called '{now}' now")
                near = difflib.get_close_matches(name, kinds, n=3, cutoff=0.5)
                allowed = f"did you mean {', '.join(near)}?" if near else f"columns: {', '.join(sorted(kinds))}"
                raise UserError(f"{self.where}: unknown column '{name}' in '{self.text}'; {allowed}")
        if _Checker(self, kinds).kind(self.tree) != "bool":
            raise UserError(f"{self.where}: '{self.text}' is a value; expected a condition, such as clarity > 10")

    def arrow(self, schema: pa.Schema) -> pc.Expression:
        """As a pyarrow expression over tables of ``schema``. Raises UserError as ``check`` does."""
        kinds = _arrow_kinds(schema)
        self.check(kinds)
        return _Compiler(_ArrowOps(), kinds).build(self.tree)

    def polars(self, schema: Mapping[str, Any]) -> pl.Expr:
        """As a Polars expression over frames of ``schema`` (name -> dtype). Raises UserError as ``check`` does."""
        kinds = _polars_kinds(schema)
        self.check(kinds)
        return _Compiler(_PolarsOps(), kinds).build(self.tree)

    def evaluate(self, table: pa.Table) -> pa.Array:
        """One bool per row of ``table``, null where unknown. Raises UserError as ``check`` does."""
        import pyarrow.dataset as pads  # brings pandas

        expression = self.arrow(table.schema)
        # a constant alone would give one row: a column beside it gives the table's length
        columns = {"keep": expression, "row": pc.field(table.schema.names[0])}
        return pads.dataset(table).to_table(columns=columns)["keep"].combine_chunks()


def parse(text: str, where: str = "expression") -> Predicate:
    """Parse ``text``; ``where`` names it in errors. Raises UserError with the position of what is wrong."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise UserError(
            f"{where}: '{text}' cannot be read at character {error.offset or 1}; allowed: {_ALLOWED}"
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise UserError(f"{where}: the expression cannot be read: it is nested too deep or holds a null byte") from None
    _Grammar(text, where).visit(tree)
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id not in _CONSTANTS}
    return Predicate(text, where, tree, tuple(sorted(names)))


def _arrow_kinds(schema: pa.Schema) -> dict[str, str]:
    """Column -> kind, of an Arrow schema."""
    return {field.name: _arrow_kind(field.type) for field in schema}


def _polars_kinds(schema: Mapping[str, Any]) -> dict[str, str]:
    """Column -> kind, of a Polars schema."""
    import polars as pl

    def kind(dtype: Any) -> str:
        if dtype.is_numeric():
            return "number"
        texts = {pl.String: "string", pl.Categorical: "string", pl.Enum: "string"}
        return {**texts, pl.Boolean: "bool"}.get(dtype.base_type(), "other")

    return {name: kind(dtype) for name, dtype in schema.items()}


def _arrow_kind(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    if pa.types.is_dictionary(kind):
        return _arrow_kind(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    return "bool" if pa.types.is_boolean(kind) else "other"


class _Grammar:
    """Which of Python's syntax belongs to the language."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where = text, where

    def visit(self, node: ast.expr) -> None:
        match node:
            case ast.BoolOp(values=parts):
                self._all(parts)
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=inner):
                self.visit(inner)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                self._all([left, right])
            case ast.Compare():
                self._compare(node)
            case ast.Name() if node.id not in ("null", "None"):
                pass
            case ast.Constant(value=value) if isinstance(value, bool | int | float | str):
                if isinstance(value, int) and not -(2**63) <= value < 2**64:
                    self._refuse(node, "the number is too large")
            case _:
                self._refuse(node)

    def _compare(self, node: ast.Compare) -> None:
        self.visit(node.left)
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.Is | ast.IsNot):
                if not (isinstance(right, ast.Name | ast.Constant) and _is_null(right)) or len(node.ops) > 1:
                    self._refuse(right, "expected null after 'is' or 'is not'")
            elif isinstance(op, ast.In | ast.NotIn):
                if isinstance(right, ast.Tuple | ast.List) and right.elts and len(node.ops) == 1:
                    self._all(right.elts)
                else:
                    self._refuse(right, "expected a list in parentheses after 'in', such as (1, 2)")
            elif _is_null(right):
                self._refuse(right, "compare with null by 'is null' or 'is not null'")
            else:
                self.visit(right)

    def _all(self, nodes: list[ast.expr]) -> None:
        for node in nodes:
            self.visit(node)

    def _refuse(self, node: ast.expr, why: str = f"is not part of the language; allowed: {_ALLOWED}") -> None:
        found = ast.unparse(node)
        raise UserError(f"{self.where}: at character {node.col_offset + 1} of '{self.text}': '{found}': {why}")


def _is_null(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and _CONSTANTS.get(node.id, 0) is None) or (
        isinstance(node, ast.Constant) and node.value is None
    )


def _literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in _CONSTANTS)


def _value(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else _CONSTANTS[node.id]  # type: ignore[attr-defined]


class _Checker:
    """Infers the kind of every node and refuses what cannot be compared."""

    def __init__(self, predicate: Predicate, kinds: Mapping[str, str]) -> None:
        self.predicate, self.kinds = predicate, kinds

    def kind(self, node: ast.expr) -> str:
        match node:
            case ast.BoolOp(values=parts):
                for part in parts:
                    self._want(part, "bool")
                return "bool"
            case ast.UnaryOp(op=op, operand=inner):
                return self._want(inner, "bool" if isinstance(op, ast.Not) else "number")
            case ast.BinOp(left=left, right=right):
                self._want(left, "number")
                return self._want(right, "number")
            case ast.Compare():
                return self._compare(node)
        if _literal(node):
            value = _value(node)
            return "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
        return self.kinds[node.id]  # type: ignore[attr-defined]

    def _compare(self, node: ast.Compare) -> str:
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            if not isinstance(op, ast.Is | ast.IsNot):
                for other in right.elts if isinstance(right, ast.Tuple | ast.List) else [right]:
                    self._want(other, self._want(left, "number", "string", "bool"))
            left = right
        return "bool"

    def _want(self, node: ast.expr, *kinds: str) -> str:
        found = self.kind(node)
        if found not in kinds:
            raise UserError(
                f"{self.predicate.where}: '{ast.unparse(node)}' in '{self.predicate.text}' is of kind {found}, "
                f"expected {' or '.join(kinds)}"
            )
        return found


class _Ops(Protocol):
    """What a backend must be able to do; the rest is the same for all."""

    def column(self, name: str) -> Any: ...
    def literal(self, value: Any) -> Any: ...
    def number(self, value: Any) -> Any:
        """As float64 with NaN as null."""

    def is_null(self, value: Any) -> Any: ...
    def add(self, a: Any, b: Any) -> Any: ...
    def subtract(self, a: Any, b: Any) -> Any: ...
    def multiply(self, a: Any, b: Any) -> Any: ...
    def divide(self, a: Any, b: Any) -> Any:
        """Of floats; by zero it is null: unknown."""


class _Compiler:
    """Turns a checked tree into the expression of a backend."""

    def __init__(self, ops: _Ops, kinds: Mapping[str, str]) -> None:
        self.ops, self.kinds = ops, kinds

    def build(self, node: ast.expr) -> Any:
        match node:
            case ast.BoolOp(op=op, values=parts):
                built = [self.build(part) for part in parts]
                return reduce((lambda a, b: a & b) if isinstance(op, ast.And) else (lambda a, b: a | b), built)
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return ~self.build(inner)
            case ast.UnaryOp(operand=inner):
                return self.ops.number(self.ops.subtract(self.ops.literal(0.0), self.build(inner)))
            case ast.BinOp(left=left, op=op, right=right):
                return self.ops.number(getattr(self.ops, _ARITHMETIC[type(op)])(self.build(left), self.build(right)))
            case ast.Compare():
                return self._compare(node)
        if _literal(node):
            value = _value(node)
            return self.ops.literal(float(value) if type(value) is int else value)
        name = node.id  # type: ignore[attr-defined]
        column = self.ops.column(name)
        return self.ops.number(column) if self.kinds[name] == "number" else column

    def _compare(self, node: ast.Compare) -> Any:
        left, parts = node.left, []
        for op, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self._pair(left, op, right))
            left = right
        return reduce(lambda a, b: a & b, parts)

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
        built = self.build(left)
        if isinstance(op, ast.Is | ast.IsNot):
            null = self.ops.is_null(built)
            return null if isinstance(op, ast.Is) else ~null
        if isinstance(op, ast.In | ast.NotIn):
            # spelled out as equalities: the backends disagree on whether null is in a list
            one_of = reduce(lambda a, b: a | b, [built == self.build(e) for e in right.elts])  # type: ignore[attr-defined]
            return one_of if isinstance(op, ast.In) else ~one_of
        return _COMPARISONS[type(op)](built, self.build(right))


class _ArrowOps:
    # pc's functions, not the operators of pc.Expression: those raise on a division by zero
    add, subtract, multiply = map(staticmethod, (pc.add, pc.subtract, pc.multiply))

    def divide(self, a: pc.Expression, b: pc.Expression) -> pc.Expression:
        return pc.divide(a, pc.if_else(b == pc.scalar(0.0), pc.scalar(pa.scalar(None, pa.float64())), b))

    def column(self, name: str) -> pc.Expression:
        return pc.field(name)

    def literal(self, value: Any) -> pc.Expression:
        return pc.scalar(value)

    def number(self, value: pc.Expression) -> pc.Expression:
        number = value.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(number), pc.scalar(pa.scalar(None, pa.float64())), number)

    def is_null(self, value: pc.Expression) -> pc.Expression:
        return value.is_null()


class _PolarsOps:
    add, subtract, multiply = map(staticmethod, (operator.add, operator.sub, operator.mul))

    def divide(self, a: pl.Expr, b: pl.Expr) -> pl.Expr:
        import polars as pl

        return a / pl.when(b != 0).then(b)

    def column(self, name: str) -> pl.Expr:
        import polars as pl

        return pl.col(name)

    def literal(self, value: Any) -> pl.Expr:
        import polars as pl

        return pl.lit(value)

    def number(self, value: pl.Expr) -> pl.Expr:
        import polars as pl

        return value.cast(pl.Float64).fill_nan(None)

    def is_null(self, value: pl.Expr) -> pl.Expr:
        return value.is_null()
