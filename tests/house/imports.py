"""What imports what, read from the source of all packages without importing any of it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("configs", "synth", "pipeline", "model", "trainer")


@dataclass(frozen=True)
class Import:
    """``file``, relative to the repository, imports ``module``: a module of ours in full, or one from elsewhere.

    ``lazy``: inside a function. Imports for type checkers alone are none.
    """

    file: str
    module: str
    lazy: bool


@functools.cache
def sources() -> dict[str, ast.Module]:
    """Every module of ours by its dotted name, a package by the name of its folder."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {name_of(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in files}


def name_of(path: Path) -> str:
    """pipeline/store/lock.py -> pipeline.store.lock; pipeline/__init__.py -> pipeline."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def file_of(module: str) -> str:
    """The inverse of ``name_of``."""
    path = Path(*module.split("."))
    return str(path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py"))


@functools.cache
def imports() -> tuple[Import, ...]:
    """All imports of all modules, each once."""
    found = (
        Import(file_of(name), target, lazy)
        for name, tree in sources().items()
        for node, lazy in _nodes(tree.body, False)
        for target in _targets(node)
    )
    return tuple(dict.fromkeys(found))


def graph(lazy: bool = True) -> dict[str, set[str]]:
    """Module of ours -> everything it imports, from elsewhere too; with or without the imports inside functions."""
    arrows: dict[str, set[str]] = {name: set() for name in sources()}
    for found in imports():
        if lazy or not found.lazy:
            arrows[name_of(Path(found.file))].add(found.module)
    return arrows


def reached(start: str, arrows: dict[str, set[str]]) -> dict[str, str]:
    """Everything that importing ``start`` imports in turn -> the module that asks for it."""
    found, left = {start: ""}, [start]
    while left:
        module = left.pop()
        parents = {module.rsplit(".", n)[0] for n in range(1, module.count(".") + 1)}  # their __init__ is run
        for target in sorted(arrows.get(module, set()) | (parents & set(arrows))):
            if target not in found:
                found[target] = module
                left.append(target)
    return found


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, however far around."""
    own = {name: {t for t in targets if t in arrows} for name, targets in arrows.items()}
    ahead = {name: _closure(name, own) for name in own}
    groups = {frozenset(m for m in ahead[name] if name in ahead[m]) for name in own if name in ahead[name]}
    return sorted(sorted(group) for group in groups)


def _closure(start: str, arrows: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        new = arrows[left.pop()] - found
        found |= new
        left += new
    return found


def _nodes(body: list[ast.stmt], lazy: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, lazy
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _nodes(node.body, True)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _nodes(node.orelse, lazy)
        else:
            for inner in ("body", "orelse", "finalbody"):
                yield from _nodes(getattr(node, inner, []), lazy)
            for handler in getattr(node, "handlers", []):
                yield from _nodes(handler.body, lazy)


def _targets(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.module is not None  # no relative imports: ruff's TID252 would say so, this says it too
    assert node.level == 0
    full = [f"{node.module}.{alias.name}" for alias in node.names]
    return [name if name in sources() else node.module for name in full]
