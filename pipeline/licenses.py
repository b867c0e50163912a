"""SPDX license expressions: which licenses one names, and whether a list of allowed ones permits it.

    CC-BY-4.0 AND (OFL-1.1 OR Apache-2.0 WITH LLVM-exception)

Parsed by license-expression, with the names of the SPDX license list: a deprecated name (``GPL-3.0``) is the one that
took its place. What is no expression, such as ``MIT/X11``, is one name.
"""

from __future__ import annotations

import functools
from collections.abc import Collection

from license_expression import (
    AND,
    OR,
    LicenseExpression,
    LicenseWithExceptionSymbol,
    Licensing,
    build_spdx_licensing,
    get_license_index,
)

_LONGEST = 500
"""Characters of an expression; chosen: what is longer is no license, and would nest too deep."""


def license_name(text: str) -> str:
    """One license as lists compare it: its name on the SPDX list if it has one, in lower case."""
    parsed = _parsed(text)
    return str(parsed if parsed is not None else text.strip()).casefold()


def names_in(expression: str | None) -> list[str]:
    """Every license and exception that the expression names, and the expression itself."""
    text = (expression or "").strip()
    parsed = _parsed(text)
    names = _licensing().license_keys(parsed) if parsed is not None else []
    return list(dict.fromkeys([text, *names]))


def permits(allowed: Collection[str], expression: str | None) -> bool:
    """Whether all that the expression demands is among ``allowed`` (by ``license_name``), of alternatives one."""
    text = (expression or "").strip()
    parsed = _parsed(text)
    return license_name(text) in allowed or (parsed is not None and _permitted(parsed, allowed))


def _permitted(parsed: LicenseExpression, allowed: Collection[str]) -> bool:
    if isinstance(parsed, AND):
        return all(_permitted(part, allowed) for part in parsed.args)
    if isinstance(parsed, OR):
        return any(_permitted(part, allowed) for part in parsed.args)
    if isinstance(parsed, LicenseWithExceptionSymbol):  # an exception only adds permissions
        return str(parsed).casefold() in allowed or parsed.license_symbol.key.casefold() in allowed
    return str(parsed).casefold() in allowed


@functools.lru_cache(maxsize=4096)  # chosen: a run has few licenses and many rows
def _parsed(text: str) -> LicenseExpression | None:
    """None for what is no expression."""
    try:
        return _licensing().parse(text) if len(text) <= _LONGEST else None
    except Exception:  # not only ExpressionError: `()` is an IndexError of the parser, `MIT OR ()` an AssertionError
        return None


@functools.cache
def _licensing() -> Licensing:
    """The SPDX list without the aliases of ScanCode's: a LicenseRef means what its own document says."""
    return build_spdx_licensing([entry | {"other_spdx_license_keys": _spdx(entry)} for entry in get_license_index()])


def _spdx(entry: dict[str, list[str]]) -> list[str]:
    return [name for name in entry["other_spdx_license_keys"] if not name.startswith("LicenseRef-")]
