"""Short texts in two languages that say the same, for pictures that are made twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from synth.content.base import Content, ContentRequest, Text, Unit, cycled
from synth.corpus.builtin import pairs
from synth.language import CaptionLanguage


@dataclass(frozen=True, kw_only=True)
class Pair(Content):
    """A text of ours and its translation (``data/pairs.txt``), each pair as often as every other.

    ``texts``: pairs of [English, Chinese] instead of ours.
    """

    kind: Literal["pair"]
    texts: tuple[tuple[str, str], ...] = ()

    def draw(self, request: ContentRequest) -> Text:
        """The English one, for strategies that show one text."""
        return self.both(request)[0]

    def both(self, request: ContentRequest) -> tuple[Text, Text]:
        """The English and the Chinese one."""
        known: Sequence[tuple[str, str]] = self.texts or pairs()
        numbers = [str(number) for number in range(len(known))]
        english, chinese = known[int(cycled(numbers, request))]
        return self._text(english, "en"), self._text(chinese, "zh")

    def _text(self, text: str, language: CaptionLanguage) -> Text:
        unit: Unit = "sentence" if " " in text or len(text) > 4 else "line"
        return Text(text, language, unit, "words" if self.texts else "pairs")
