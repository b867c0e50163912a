"""The house as CONTRIBUTING describes it: which way imports point, what is where, what is public."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.house.imports import PACKAGES, ROOT, circles, file_of, graph, imports, name_of, reached, sources
from tests.house.lazy_imports import LAZY

ALLOWED = {
    "configs": set(),
    "synth": {"configs"},
    "model": {"configs"},
    "pipeline": {"configs", "synth"},
    "trainer": {"configs", "synth", "pipeline", "model"},
}
MODULES = 24  # in a folder
LARGE = {"model"}  # one network, one folder
READING = ("pipeline.schema", "pipeline.dataset", "pipeline.predicate")
GROUND = {"numpy", "pyarrow", "yaml"}  # what reading a dataset may import; configs reads YAML


def test_imports_point_one_way() -> None:
    wrong = [
        f"{found.file} imports {found.module}"
        for found in imports()
        if (package := found.module.split(".")[0]) in PACKAGES
        and package != (own := found.file.split("/")[0])
        and package not in ALLOWED[own]
        and not found.file.endswith("/__main__.py")  # a command may import what it runs
    ]
    assert wrong == []


def test_no_modules_import_each_other_however_far_around() -> None:
    assert circles(graph()) == []


def test_the_order_of_training_never_imports_torch() -> None:
    arrows = graph() | {"model": set()}  # a root loads a name when it is asked for; the order asks for sizes alone
    for module in arrows:
        if module.startswith("trainer.order"):
            found = reached(module, arrows)
            assert "torch" not in found, f"{module}: torch comes with {found['torch']}"


def test_reading_a_dataset_imports_numpy_and_pyarrow_alone() -> None:
    arrows = graph(lazy=False)
    for module in READING:
        foreign = {name.split(".")[0] for name in reached(module, arrows)} - set(PACKAGES) - sys.stdlib_module_names
        assert foreign <= GROUND, module


def test_a_command_starts_without_anything_heavy() -> None:
    """What ``python -m PACKAGE --help`` imports: the standard library, YAML, and modules of ours that need no more."""
    arrows = graph(lazy=False)
    for package in ("pipeline", "synth", "model", "trainer"):
        foreign = {name.split(".")[0] for name in reached(f"{package}.__main__", arrows)} - set(PACKAGES)
        assert foreign - sys.stdlib_module_names <= {"yaml"}, package


def test_every_import_inside_a_function_has_its_reason() -> None:
    """A failure prints the lines to add to ``lazy_imports.py`` (if there is such a reason) and those to remove."""
    found = {(i.file, i.module) for i in imports() if i.lazy}
    add = [f'    ("{file}", "{module}"): ...,' for file, module in sorted(found - set(LAZY))]
    remove = [f'    ("{file}", "{module}"): ...,' for file, module in sorted(set(LAZY) - found)]
    assert not add, "import these at the top, or add with a reason:\n" + "\n".join(add)
    assert not remove, "remove, they are no more:\n" + "\n".join(remove)


def test_no_folder_is_crowded() -> None:
    folders = [Path(file_of(name)).parent for name in sources() if not file_of(name).endswith("__init__.py")]
    crowded = {str(f): folders.count(f) for f in folders if folders.count(f) > MODULES and str(f) not in LARGE}
    assert crowded == {}


def test_every_folder_says_what_it_is_for() -> None:
    folders = {Path(file_of(name)).parent for name in sources()}
    silent = [str(f) for f in sorted(folders) if not ast.get_docstring(sources().get(name_of(f), ast.parse("")))]
    assert silent == []


def test_tests_stand_where_what_they_test_stands() -> None:
    """A test file named after a module of its package has the module's path."""
    astray = []
    for package in PACKAGES:
        homes: dict[str, set[Path]] = {}
        for name in sources():
            path = Path(file_of(name))
            if path.parts[0] == package:
                homes.setdefault(path.stem, set()).add(path.parent)
        for test in sorted((ROOT / "tests" / package).rglob("test_*.py")):
            there = homes.get(test.stem.removeprefix("test_"))
            if there and test.parent.relative_to(ROOT / "tests") not in there:
                astray.append(f"{test.relative_to(ROOT)}: the module is in {', '.join(map(str, sorted(there)))}")
    assert astray == []


def test_what_is_public_is_used_elsewhere() -> None:
    """Names without an underscore are imported, read as attributes or written about in another file.

    Or they are types in what such names take and give, or parts of a network, which keep the names of its figure.
    """
    used = {path: _used(path) for path in _readers()}
    alone = [
        f"{file_of(name)}: {public}"
        for name, tree in sources().items()
        if not name.endswith("__main__")
        for public in _public(tree)
        if not any(public in words for path, words in used.items() if path != ROOT / file_of(name))
    ]
    assert alone == [], "make private or delete:\n" + "\n".join(alone)


def _public(tree: ast.Module) -> list[str]:
    """Functions, classes and constants that a module defines for others, less the types in their signatures."""
    types = {
        name.id
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        for annotation in _annotations(node)
        for name in ast.walk(annotation)
        if isinstance(name, ast.Name)
    }
    names, networks = [], {"nn.Module"}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) in networks for base in node.bases):
            networks.add(node.name)
            continue
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in names if not name.startswith("_") and name not in types]


def _annotations(node: ast.FunctionDef | ast.ClassDef) -> Iterator[ast.expr]:
    """Of a function its parameters and result; of a class its bases, its fields and those of its public methods."""
    if isinstance(node, ast.FunctionDef):
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        yield from (a for a in (*(argument.annotation for argument in every), node.returns) if a)
        return
    yield from node.bases
    for inner in node.body:
        if isinstance(inner, ast.AnnAssign):
            yield inner.annotation
        elif isinstance(inner, ast.FunctionDef) and (inner.name == "__init__" or not inner.name.startswith("_")):
            yield from _annotations(inner)


def _readers() -> list[Path]:
    code = [path for folder in (*PACKAGES, "tests") for path in (ROOT / folder).rglob("*.py")]
    texts = [p for folder in ("docs", "configs") for p in (ROOT / folder).rglob("*") if p.suffix in (".md", ".yaml")]
    return [p for p in [*code, *texts, *ROOT.glob("*.md"), ROOT / "Makefile"] if "house" not in p.parts]


def _used(path: Path) -> set[str]:
    """Names that a file takes from others: imported, attributes, and words of its texts that are not docstrings."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        return set(re.findall(r"\w+", text))
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.:]+", node.value):
            found |= set(re.split(r"[.:]", node.value))
    return found
