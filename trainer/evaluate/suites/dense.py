"""Dense pages, our own: 500 to 5,000 characters in a picture, English and Chinese.

``characters`` is 1 - NED over the whole page in reading order, so what is left out, doubled or misplaced costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from pipeline.ocr.lines import normalize
from synth.corpus import grammar
from synth.language import CaptionLanguage
from trainer.evaluate.base import Clean, Item, Judged, Suite
from trainer.evaluate.reading.clean import render
from trainer.evaluate.scores.exact import judge_text
from trainer.evaluate.scores.overlap import overlap

_PROMPTS: dict[CaptionLanguage, str] = {
    "en": 'A white page, densely printed in black from top to bottom, that reads: "{}"',
    "zh": "一张白色的页面，从上到下密密地印着黑色的文字，内容是：“{}”",
}
_SENTENCES = 5  # of a paragraph; chosen


class Dense(Suite):
    name: ClassVar[str] = "dense"
    main = "characters"
    anchors = "none published; UltraText, up to 5,230 characters: Qwen-Image .413, best .994"

    def items(self) -> list[Item]:
        """``config.dense``'s pages of each language, longer and longer."""
        width, height = self.config.size
        lengths = np.geomspace(*self.config.dense.characters, self.config.dense.pages).round().astype(int)
        languages: tuple[CaptionLanguage, ...] = ("en", "zh")
        return [
            Item(f"{language}-{length}-{n}", _PROMPTS[language].format(text), width, height, (text,), language)
            for language in languages
            for n, length in enumerate(lengths.tolist())
            for text in [page(language, length, n)]
        ]

    def clean(self, items: Sequence[Item]) -> Iterator[Clean | None]:
        return render([item.text for item in items], self.config.size)

    def judge(self, item: Item, lines: Sequence[str]) -> Judged:
        wanted, read = normalize(item.text), normalize("".join(lines))
        judged = judge_text(item.text, "".join(lines))
        hits = float(overlap(wanted, read))
        return {
            "characters": (judged["characters"][0] * len(wanted), float(len(wanted))),
            "overlap": (hits, float(len(wanted))),
            "precision": judged["precision"],
        }


def page(language: CaptionLanguage, characters: int, number: int) -> str:
    """Paragraphs of about ``characters`` in all, the same for the same arguments."""
    rng = np.random.Generator(np.random.PCG64([characters, number, language == "zh"]))
    paragraphs: list[str] = []
    while (left := characters - len("".join(paragraphs))) > 0:
        text = grammar.sentences(language, _SENTENCES, rng)
        paragraphs.append(text if len(text) <= left else cut(text, left, language))
        if len(text) > left:
            break
    return "\n".join(filter(None, paragraphs))


def cut(text: str, characters: int, language: CaptionLanguage) -> str:
    """The beginning of a text, of at most so many characters; English ends with a word."""
    short = text[:characters]
    return short.rpartition(" ")[0] if language == "en" and " " in short else short
