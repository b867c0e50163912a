"""What the digest covers of kinds of one's own: their fields and the file that defines them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from synth import Recipe
from tests.synth.common import PURE

CODE = """
from dataclasses import dataclass

from synth.content.base import Content, ContentRequest, Text


@dataclass(frozen=True, kw_only=True)
class Greeting(Content):
    times: int = 1

    def draw(self, request: ContentRequest) -> Text:
        return Text(WORD * self.times, "en", "line", "greetings")


WORD = "hello"
"""


def test_the_digest_covers_the_fields_and_the_code_of_own_kinds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "own_greetings.py"

    def digest(code: str, fields: str = "") -> str:
        file.write_text(code, "utf-8")
        sys.modules.pop(file.stem, None)
        importlib.invalidate_caches()
        return Recipe.load(PURE, [f"contents=[{{kind: '{file.stem}:Greeting'{fields}}}]"]).digest

    first = digest(CODE)
    assert digest(CODE) == first
    assert digest(CODE, ", times: 2") != first
    assert digest(CODE.replace("hello", "good morning")) != first
