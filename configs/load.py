"""Strict decoding of a YAML file into a dataclass, with ``--set a.b=value`` overrides.

    file.yaml ──parse_yaml──> dict ──override──> dict ──decode──> dataclass

A config class is a plain (frozen) dataclass: no base class, no library in it. Checks that need
more than a type go into its ``__post_init__`` as ``ValueError``; the message is shown behind the
path of the field. Every failure is one ``UserError`` line: file, field, what was found, what is
allowed. pydantic does the checking and is imported only when a config is read.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from configs.errors import UserError
from configs.renamed import renamed_fields
from configs.storage.paths import location

T = TypeVar("T")


class _Loader(yaml.SafeLoader):
    """YAML as people expect it: ``1e-4`` is a number and a key is given once."""


_Loader.add_implicit_resolver(  # YAML 1.1 reads 1e-4 as a string, a silent way to train at the wrong rate
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9][0-9_]*)?\.?[0-9]+([eE][-+]?[0-9]+)$"),
    list("-+0123456789."),
)


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if isinstance(key, list | dict):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a single value", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' is given twice", key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML text; ``where`` names it in the error. Raises UserError with line and column."""
    try:
        return yaml.load(text, _Loader)  # a SafeLoader subclass
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UserError(f"{where}{place}: not valid YAML: {problem}") from None


def parse_value(text: str, where: str) -> Any:
    """What stands behind ``=`` on a command line: a list, a mapping or a quoted text as YAML, else one plain value.

    A plain value is all of the text: ``#`` begins no comment in it and ``: `` no mapping. Raises UserError.
    """
    bare = text.strip()
    if bare[:1] in ("[", "{") or (len(bare) > 1 and bare[0] in "\"'" and bare[0] == bare[-1]):
        return parse_yaml(text, where)
    loader = _Loader("")
    tag = loader.resolve(yaml.ScalarNode, bare, (True, False))
    if tag == "tag:yaml.org,2002:str":
        return text
    try:
        return loader.construct_object(yaml.ScalarNode(tag, bare))
    except (yaml.YAMLError, ValueError):  # 2026-13-45 has the form of a date
        return text


def load(
    path: str | Path,
    cls: type[T],
    overrides: Sequence[str] = (),
    prepare: Callable[[dict[str, Any], str], dict[str, Any]] | None = None,
) -> T:
    """Read ``path`` into ``cls``, applying ``overrides`` (``a.b=value``, ``a.0.b=value``) first.

    ``prepare`` gets the file's fields and its name before that, and returns the fields to go on with: it translates
    or refuses forms that older versions wrote.

    Raises UserError for a missing or unreadable file, bad YAML, an unknown, missing or wrong field.
    """
    tree = load_tree(path)
    if prepare:
        tree = prepare(tree, f"config {path}")
    for item in overrides:
        tree = _override(tree, item)
    return decode(tree, cls, f"config {path}")


def load_tree(path: str | Path) -> dict[str, Any]:
    """The fields of a YAML file as they stand in it. Raises UserError for one that cannot be read, or has none."""
    path = location(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"config {path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    tree = parse_yaml(text, f"config {path}")
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise UserError(f"config {path}: expected fields at the top level, found {_show(tree)}")
    return tree


def decode(tree: Any, cls: type[T], where: str) -> T:
    """Decode plain data (as YAML or JSON gives it) into ``cls``; strict: no unknown fields, no coercion of text."""
    from pydantic import TypeAdapter, ValidationError

    unknown = _unknown_field(tree, cls, "") or _no_number(tree, "")
    if unknown:
        raise UserError(f"{where}: {unknown}")
    try:
        # JSON mode accepts lists for tuples and text for paths, and still refuses '3' for 3.
        return TypeAdapter(cls).validate_json(json.dumps(tree, default=str), strict=True)
    except ValidationError as error:
        first = _closest_error(error.errors(include_url=False))
        field = ".".join(str(part) for part in _path(first) if not _is_class_name(part))
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing":
            raise UserError(f"{where}: field '{field}' is required") from None
        if first["type"] == "value_error":  # a __post_init__ said what it found in its own words
            raise UserError(f"{where}: {field + ': ' if field else ''}{message}") from None
        message = message[:1].lower() + message[1:]
        raise UserError(f"{where}: field '{field}': {message}, found {_show(first['input'])}") from None


def to_plain(config: Any) -> Any:
    """A dataclass as plain data that YAML and JSON can hold; the inverse of ``decode``."""
    return json.loads(json.dumps(dataclasses.asdict(config), default=str))


def digest(config: Any) -> str:
    """sha256 (hex) over the canonical JSON form of a config dataclass or plain data."""
    plain = to_plain(config) if dataclasses.is_dataclass(config) else config
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _no_number(tree: Any, path: str) -> str | None:
    """What to say of the first .nan or .inf: they pass every comparison that a check makes, or none."""
    if isinstance(tree, float) and not math.isfinite(tree):
        return f"field '{path[:-1]}': expected a finite number, found {tree}"
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return next((said for key, value in items if (said := _no_number(value, f"{path}{key}."))), None)


def _override(tree: Any, item: str) -> Any:
    path, equals, text = item.partition("=")
    if not equals or not path:
        raise UserError(f"--set '{item}': expected field=value, for example --set seed=7")
    keys = path.strip().split(".")
    value = parse_value(text, f"--set '{item}'")
    node = tree
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                where = ".".join(keys[:depth])
                raise UserError(f"--set '{item}': '{where}' is a list of {len(node)}, found index '{key}'")
            index: Any = int(key)
        elif isinstance(node, dict):
            index = key
            if not last and node.get(key) is None:
                node[key] = {}
        else:
            raise UserError(f"--set '{item}': '{'.'.join(keys[:depth])}' is a single value and has no fields")
        if last:
            node[index] = value
        else:
            node = node[index]
    return tree


def _unknown_field(tree: Any, annotation: Any, path: str) -> str | None:
    """The first field of ``tree`` that the dataclass behind ``annotation`` lacks, as a sentence."""
    if isinstance(tree, list):
        inner = [a for a in typing.get_args(annotation) if a is not Ellipsis]
        candidates = inner if typing.get_origin(annotation) in (list, tuple) else []
        for arm in _union_arms(annotation):
            if typing.get_origin(arm) in (list, tuple):
                candidates = [a for a in typing.get_args(arm) if a is not Ellipsis]
        for index, value in enumerate(tree):
            for candidate in candidates[:1]:
                found = _unknown_field(value, candidate, f"{path}{index}.")
                if found:
                    return found
        return None
    if not isinstance(tree, dict) or _is_own_kind(tree, annotation):
        return None
    arms = _union_arms(annotation)
    if dict in (typing.get_origin(a) for a in arms):
        value_types = [typing.get_args(a)[1] for a in arms if typing.get_origin(a) is dict]
        found_in = (_unknown_field(v, value_types[0], f"{path}{k}.") for k, v in tree.items())
        return next((f for f in found_in if f), None)
    classes = [a for a in arms if dataclasses.is_dataclass(a)]
    if len(classes) > 1:  # a union of dataclasses told apart by a literal field: keep the one that fits
        fitting = [c for c in classes if _literal_fits(c, tree)]
        classes = fitting or []
    if not classes:
        return None
    hints = typing.get_type_hints(classes[0], include_extras=True)
    names = [f.name for f in dataclasses.fields(classes[0]) if f.init]
    for key, value in tree.items():
        if key not in names:
            if key in (today := renamed_fields(classes[0])):
                return f"field '{path}{key}' is called '{today[key]}' now"
            near = difflib.get_close_matches(str(key), names, n=3, cutoff=0.5)
            allowed = f"did you mean {', '.join(near)}?" if near else f"allowed: {', '.join(names)}"
            return f"unknown field '{path}{key}'; {allowed}"
        found = _unknown_field(value, hints[key], f"{path}{key}.")
        if found:
            return found
    return None


def _is_own_kind(tree: dict[Any, Any], annotation: Any) -> bool:
    """Whether a class of the user's own decodes ``tree`` (``kinds.py``): its fields are checked then."""
    marks = getattr(annotation, "__metadata__", ())
    return any(hasattr(mark, "resolve") for mark in marks) and ":" in str(tree.get("kind"))


def _union_arms(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _union_arms(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [arm for a in typing.get_args(annotation) for arm in _union_arms(a)]
    return [annotation]


def _literal_fits(cls: Any, tree: dict[Any, Any]) -> bool:
    for name, hint in typing.get_type_hints(cls).items():
        if typing.get_origin(hint) is typing.Literal and name in tree:
            return tree[name] in typing.get_args(hint)
    return False


def _closest_error(errors: list[Any]) -> Any:
    """Of a union's errors the one of the arm that was meant: whose literal field agreed, else the first."""
    if whole := [e for e in errors if not (_is_text_arm(e) and isinstance(e["input"], dict))]:
        errors = whole  # a mapping was meant for the arm that is a dataclass, not for the one that is a text
    wrong_arms = {e["loc"][:-1] for e in errors if e["type"] == "literal_error" and _is_class_name(e["loc"][-2:-1])}
    meant = [e for e in errors if not any(e["loc"][: len(arm)] == arm for arm in wrong_arms)]
    # Where every arm has one, the deepest lies in the arm that was meant, in a union of its own.
    return meant[0] if meant else max(errors, key=lambda e: (e["type"] == "literal_error", len(e["loc"])))


def _is_text_arm(error: Any) -> bool:
    """Whether it says that a union's value is no text: pydantic puts the arm's name, ``str``, behind the path."""
    return error["type"] == "string_type" and error["loc"][-1:] == ("str",)


def _path(error: Any) -> tuple[Any, ...]:
    return error["loc"][:-1] if _is_text_arm(error) else error["loc"]


def _is_class_name(part: Any) -> bool:
    """pydantic puts the class of a union's arm into the path; users never wrote it."""
    name = part[0] if isinstance(part, tuple) and part else part
    return isinstance(name, str) and name[:1].isupper()


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
