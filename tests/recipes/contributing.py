"""CONTRIBUTING.md's recipes as they stand there, so that tests follow them to the letter."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


def block(heading: str, language: str, n: int = 0) -> str:
    """The ``n``-th fenced block of ``language`` under ``heading`` (with its ``#``), up to the next heading."""
    text = PAGE.read_text(encoding="utf-8")
    section = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#+ |\Z)", _without_hashes(text), re.MULTILINE | re.DOTALL)
    assert section, f"CONTRIBUTING.md has no heading '{heading}'"
    found = re.findall(
        rf"^```{language}\n(.*?)^```$", text[section.start(1) : section.end(1)], re.MULTILINE | re.DOTALL
    )
    assert len(found) > n, f"'{heading}' has {len(found)} blocks of {language}, block {n} is asked for"
    return found[n]


def _without_hashes(text: str) -> str:
    """The page at the same length, without the ``#`` inside fenced blocks: those are comments, not headings."""
    return re.sub(r"^```.*?^```$", lambda m: m[0].replace("#", "."), text, flags=re.MULTILINE | re.DOTALL)
