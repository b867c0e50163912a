"""Characters that one stroke makes others of: 大 with one more is 太 or 天, without one 人.

A damaged character must be none that exists. ``data/lookalikes-zh.txt`` was found by taking each part of each of the 8,105
characters as Noto Sans CJK draws them, and looking for the character that is left (``tests/benchmarks/lookalikes.py``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from synth.corpus.builtin import DATA


def changes_with_a_stroke(character: str, how: Literal["missing", "added"]) -> bool:
    """Whether another character may be read where ``character`` loses a stroke, or gets one."""
    return character in _by_way()[how]


@lru_cache(maxsize=1)
def _by_way() -> dict[str, frozenset[str]]:
    """Each line: a character, and those that it becomes with a stroke less."""
    lines = (DATA / "lookalikes-zh.txt").read_text("utf-8").splitlines()
    rows = [line.split(" ") for line in lines if line and not line.startswith("#")]
    return {"missing": frozenset(row[0] for row in rows), "added": frozenset(c for row in rows for c in row[1])}
