"""Fields that got a better name: a config that still uses the old one is told the new one.

    class Canvas:
        renamed: ClassVar[dict[str, str]] = {"share": "weight"}  # old name -> the field's name today
        weight: float = 1.0

    {share: 2}       ──decode──> UserError: field 'canvases.0.share' is called 'weight' now
    Canvas(weight=2) ──to_first_names──> {"share": 2.0}

A digest over ``to_first_names`` stays what it was before the field was renamed.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any


def renamed_fields(cls: Any) -> dict[str, str]:
    """Old name -> today's, of a dataclass and those it derives from."""
    return {old: new for base in reversed(cls.__mro__) for old, new in vars(base).get("renamed", {}).items()}


def to_first_names(config: Any) -> Any:
    """A dataclass as plain data (as ``to_plain``), each field under the name it had first."""
    return json.loads(json.dumps(_plain(config), default=str))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        first = {new: old for old, new in renamed_fields(type(value)).items()}
        return {first.get(f.name, f.name): _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
