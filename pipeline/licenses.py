"""SPDX license expressions: which licenses one names, and whether a list of allowed ones permits it.

    CC-BY-4.0 AND (OFL-1.1 OR Apache-2.0 WITH LLVM-exception)

AND binds tighter than OR, names have no case (SPDX 3.0, annex B). What is no expression, such as ``CC BY 4.0``, is one name.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_TOKEN = re.compile(r"\(|\)|[^\s()]+")
_WORDS = ("AND", "OR")
_LONGEST = 500
"""Characters of an expression; chosen: what is longer is no license, and would nest too deep."""


class _NoExpression(Exception):
    """The text is no license expression."""


def names_in(expression: str | None) -> list[str]:
    """Every license that the expression names, and the expression itself."""
    text = (expression or "").strip()
    try:
        _permitted(text, ())
    except _NoExpression:
        return [text]
    names = [token for token in _TOKEN.findall(text) if token not in "()" and token.upper() not in (*_WORDS, "WITH")]
    return list(dict.fromkeys([text, *names]))


def permits(allowed: Collection[str], expression: str | None) -> bool:
    """Whether all that the expression demands is among ``allowed`` (names in lower case), of alternatives one."""
    text = (expression or "").strip()
    if text.casefold() in allowed:
        return True
    try:
        return _permitted(text, allowed)
    except _NoExpression:
        return False


def _permitted(text: str, allowed: Collection[str]) -> bool:
    if len(text) > _LONGEST:
        raise _NoExpression
    tokens = _TOKEN.findall(text)
    found = _alternatives(tokens, allowed)
    if tokens:
        raise _NoExpression
    return found


def _alternatives(tokens: list[str], allowed: Collection[str]) -> bool:
    """Takes ``a AND b OR c`` from the front of ``tokens``."""
    found = _together(tokens, allowed)
    while tokens and tokens[0].upper() == "OR":
        tokens.pop(0)
        found = _together(tokens, allowed) or found
    return found


def _together(tokens: list[str], allowed: Collection[str]) -> bool:
    found = _one(tokens, allowed)
    while tokens and tokens[0].upper() == "AND":
        tokens.pop(0)
        found = _one(tokens, allowed) and found
    return found


def _one(tokens: list[str], allowed: Collection[str]) -> bool:
    """A name, with its exception, or what stands in parentheses."""
    if not tokens or tokens[0] == ")" or tokens[0].upper() in (*_WORDS, "WITH"):
        raise _NoExpression
    token = tokens.pop(0)
    if token == "(":
        found = _alternatives(tokens, allowed)
        if not tokens or tokens.pop(0) != ")":
            raise _NoExpression
        return found
    if tokens and tokens[0].upper() == "WITH":
        tokens.pop(0)
        if not tokens or tokens[0] in "()":
            raise _NoExpression
        both = f"{token} WITH {tokens.pop(0)}"
        return both.casefold() in allowed or token.casefold() in allowed  # an exception only adds permissions
    return token.casefold() in allowed
