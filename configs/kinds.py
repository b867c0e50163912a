"""Fields that take classes of one's own: ``kind: package.module:Class`` beside the kinds that ship.

    sources: tuple[Annotated[FolderSource | SynthSource, OpenKind(Source)], ...]

    {kind: folder, ...}              ──> FolderSource
    {kind: my_package.bucket:Bucket} ──> my_package.bucket.Bucket, a dataclass derived from Source

A class of one's own is a frozen dataclass with a field ``kind: str`` and whatever other fields it wants; they are
checked as strictly as ours. This package imports nothing of the others, so a union lives with its owner.
"""

from __future__ import annotations

import importlib
import typing
from dataclasses import dataclass
from typing import Any

from configs.load import decode


@dataclass(frozen=True)
class OpenKind:
    """Marks a union of dataclasses, told apart by ``kind``, as open to every dataclass derived from ``base``."""

    base: type

    def resolve(self, kind: str) -> type:
        """The class that ``package.module:Class`` names. Raises ValueError saying what is wrong with it."""
        module, _, name = kind.partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        except Exception as error:  # a user's module may raise anything while it is imported
            raise ValueError(f"kind '{kind}' cannot be imported as package.module:Class: {error!r}") from None
        if not (isinstance(found, type) and issubclass(found, self.base) and "__dataclass_fields__" in vars(found)):
            raise ValueError(f"kind '{kind}' is no dataclass derived from {self.base.__module__}.{self.base.__name__}")
        if missing := sorted(getattr(found, "__abstractmethods__", ())):
            raise ValueError(f"kind '{kind}' does not define {', '.join(missing)}")
        return found

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """pydantic's hook: a kind with a colon is decoded by its own class, all others by the union."""
        from pydantic_core import core_schema

        names = [name for arm in typing.get_args(source) for name in _kinds(arm)]

        def decode_own(value: Any) -> Any:
            kind = value["kind"]
            if ":" not in kind:
                raise ValueError(f"no kind '{kind}'; allowed: {', '.join(names)}, or package.module:Class of your own")
            return decode(value, self.resolve(kind), f"kind {kind}")

        def arm(value: Any) -> str:
            kind = value.get("kind") if isinstance(value, dict) else None
            return "Own" if isinstance(kind, str) and kind not in names else "Shipped"

        # A choice of schemas, not a validator around the union: that would take the union out of JSON mode.
        own = core_schema.no_info_plain_validator_function(decode_own)
        return core_schema.tagged_union_schema({"Shipped": handler(source), "Own": own}, arm)


def _kinds(arm: Any) -> tuple[str, ...]:
    """The values that the field ``kind`` of a dataclass takes."""
    return typing.get_args(typing.get_type_hints(arm)["kind"])
