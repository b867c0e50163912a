"""LongText-Bench (arXiv 2507.22058, Apache-2.0): prompts with 10 to 111 words or characters to be written.

    text_prompts.jsonl, text_prompts_zh.jsonl ──> prompt, texts ──> multiset overlap of words (en), characters (zh)

Order and surplus text cost nothing in it: read the precision beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from synth.language import is_han
from trainer.evaluate.base import Clean, Item, Judged, Suite
from trainer.evaluate.reading.clean import render
from trainer.evaluate.scores.overlap import overlap, units
from trainer.evaluate.suites.prompt_files import field, files_of, named_file, read_lines, unique


class LongText(Suite):
    name: ClassVar[str] = "long_text"
    main = "overlap"
    anchors = "en / zh: Qwen-Image .943 / .946, best .989 / .987; read there by Qwen2.5-VL-7B, 4 pictures a prompt"

    def items(self) -> list[Item]:
        """``prompt_id``, ``prompt`` and ``text`` of every line; of several files ids begin with the file's name."""
        path = named_file(self.config.prompts, self.name, "text_prompts.jsonl, text_prompts_zh.jsonl or their folder")
        items = [
            replace(self._item(found, where), id=f"{prefix}{field(found, 'prompt_id', int, where)}")
            for prefix, file in files_of(path, ".jsonl")
            for where, found in read_lines(file)
        ]
        unique([item.id for item in items], path)
        return items

    def _item(self, found: object, where: str) -> Item:
        width, height = self.config.size
        texts = tuple(field(found, "text", list, where))
        language = "zh" if any(map(is_han, "".join(texts))) else "en"
        return Item("", field(found, "prompt", str, where), width, height, texts, language)

    def clean(self, items: Sequence[Item]) -> Iterator[Clean | None]:
        return render([item.text for item in items], self.config.size)

    def judge(self, item: Item, lines: Sequence[str]) -> Judged:
        wanted, read = (units(" ".join(texts), item.group) for texts in (item.texts, lines))
        hits = float(overlap(wanted, read))
        return {"overlap": (hits, float(len(wanted))), "precision": (hits, float(len(read)))}
