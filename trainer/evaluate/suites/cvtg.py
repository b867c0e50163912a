"""CVTG-2K (arXiv 2503.23461, Apache-2.0): English prompts with two to five texts in quotes.

    {2,3,4,5}.json ──> prompt, texts in single quotes ──> word accuracy, NED, CLIPScore

A word counts wherever it was read, as often as it is asked for: read the precision beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from trainer.evaluate.base import Clean, Item, Judged, Subject, Suite
from trainer.evaluate.reading.clean import render
from trainer.evaluate.scores.clip_score import ClipScorer
from trainer.evaluate.scores.words import found, quoted, similarity, words
from trainer.evaluate.suites.prompt_files import field, files_of, named_file, read_object, unique


class Cvtg(Suite):
    name: ClassVar[str] = "cvtg"
    main = "word_accuracy"
    anchors = "accuracy / NED / CLIPScore: Qwen-Image .829 / .912 / .802, Ovis-Image .920 / .970 / .837"

    def items(self) -> list[Item]:
        """``index`` and ``prompt`` of ``data_list``; of several files ids begin with the file's name."""
        path = named_file(self.config.prompts, self.name, "a file such as CVTG/3.json, or a folder of them")
        width, height = self.config.size
        items = []
        for prefix, file in files_of(path, ".json"):
            for number, entry in enumerate(field(read_object(file), "data_list", list, str(file))):
                where = f"{file}, data_list.{number}"
                name, prompt = field(entry, "index", int, where), field(entry, "prompt", str, where)
                texts = tuple(quoted(prompt))
                items.append(Item(f"{prefix}{name}", prompt, width, height, texts, f"{len(texts)} texts"))
        unique([item.id for item in items], path)
        return items

    def check(self, subject: Subject | None) -> None:
        if self.config.clip:
            ClipScorer.of(self.config.clip)

    def clean(self, items: Sequence[Item]) -> Iterator[Clean | None]:
        return render([item.text for item in items], self.config.size)

    def judge(self, item: Item, lines: Sequence[str]) -> Judged:
        wanted, read = words(item.texts), words(lines)
        count = float(len(wanted))
        return {
            "word_accuracy": (float(found(wanted, read)), count),
            "ned": (sum(similarity(word, read) for word in wanted), count),
            "precision": (float(found(read, wanted)), float(len(read))),
        }

    def look(self, items: Sequence[Item], pictures: Sequence[np.ndarray]) -> list[Judged]:
        if not self.config.clip:
            return [{} for _ in items]
        scores = ClipScorer.of(self.config.clip).scores([item.prompt for item in items], pictures)
        return [{"clip_score": (score, 1.0)} for score in scores]
