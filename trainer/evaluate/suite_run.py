"""One suite from its items to its figures.

items ──drawn, or found in a folder──> pictures ──read──> judged     after
      ──fresh weights──> pictures ───────────────read──> judged      before, of some suites
      ──clean renderings────────────────────────read──> judged       ceiling
      ──one glyph damaged───────────────────────read──> accepted?    damaged
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from configs.files import replace_picture, replace_text
from trainer.evaluate.base import Item, Judged, Subject, Suite, Whole
from trainer.evaluate.drawing.draw import Sampling, draw, shots, write_inputs
from trainer.evaluate.drawing.folder import find_pictures, pictures_folder
from trainer.evaluate.reading.clean import render_damaged
from trainer.evaluate.reading.damage import is_accepted
from trainer.evaluate.reading.readings import Readings, ToRead, load

_TOGETHER = 32
"""Pictures that are looked at side by side; chosen: what lies in memory at once."""


@dataclass(frozen=True)
class Judgement:
    """One picture of ``item``. ``path``: None where it could not be drawn. ``lines``: as read; None where no reader is
    asked. ``unread``: why the reader failed on it."""

    item: Item
    path: Path | None
    lines: tuple[str, ...] | None
    judged: Judged
    unread: str = ""


@dataclass(frozen=True)
class Damaged:
    """``accepted`` of ``shown`` damaged glyphs were read as whole ones; ``why`` there are none."""

    accepted: int
    shown: int
    why: str = ""


@dataclass
class Result:
    """What a suite came to. ``ceiling``: of clean renderings; ``missing``, ``extra``, ``broken``: as in a folder of
    pictures; ``failed``: pictures that came out with numbers that are not finite."""

    after: list[Judgement]
    before: list[Judgement] = field(default_factory=list)
    ceiling: list[Judgement] = field(default_factory=list)
    damaged: Damaged | None = None
    whole: Whole = field(default_factory=Whole)
    missing: int = 0
    extra: int = 0
    broken: int = 0
    failed: int = 0


class SuiteRun:
    """``folder``: of this suite in OUT."""

    def __init__(
        self, suite: Suite, items: list[Item], folder: Path, subject: Subject | None, readings: Readings
    ) -> None:
        self.suite, self.items, self.folder, self.subject, self.readings = suite, items, folder, subject, readings
        self.config = suite.config

    def run(self, pictures: Path | None, suites: int) -> Result:
        """``pictures``: a folder of pictures made elsewhere; of one of ``suites``."""
        if self.suite.draws == "nothing":
            assert self.subject is not None
            measured = self.suite.measure(self.subject)
            return Result([Judgement(item, None, None, judged) for item, judged in measured])
        self._write_prompts()
        result = self._found(pictures, suites) if pictures else self._drawn()
        kept = [(j.item, j.path) for j in result.after if j.path]
        result.whole = self.suite.together([item for item, _ in kept], (load(path) for _, path in kept))
        if self.suite.reads:
            self._add_ceiling(result)
        return result

    def _write_prompts(self) -> None:
        """prompts.jsonl: for whoever makes the pictures elsewhere."""
        lines = [
            {"id": i.id, "prompt": i.prompt, "width": i.width, "height": i.height, "texts": i.texts, "group": i.group}
            for i in self.items
        ]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        replace_text(self.folder / "prompts.jsonl", text, durable=False)

    def _found(self, pictures: Path, suites: int) -> Result:
        found = find_pictures(pictures_folder(pictures, self.suite.name, suites), self.items)
        for line in found.remarks(self.suite.name):
            print(line, flush=True)
        after = self._judged([(self.items[place], path) for place, path in found.pictures], "pictures")
        return Result(after, missing=len(found.missing), extra=len(found.extra), broken=len(found.broken))

    def _drawn(self) -> Result:
        assert self.subject is not None
        after, failed = self._draw("pictures", fresh=False)
        before = self._draw("before", fresh=True)[0] if self.config.untrained and self.suite.untrained else []
        return Result(after, before, failed=failed)

    def _draw(self, name: str, fresh: bool) -> tuple[list[Judgement], int]:
        """What was drawn, judged, and how many came to nothing: those count as pictures without any text."""
        assert self.subject is not None
        assert self.suite.draws != "nothing"
        sampling = Sampling.of(self.config, self.subject, fresh)
        inputs = write_inputs(self.items, self.suite.draws, self.folder / "inputs")
        wanted = shots(self.items, self.suite.draws, self.folder / name, inputs, self.config, sampling)
        lost = set(draw(wanted, sampling, self.config.gpus, f"{self.suite.name}, {name}"))
        if lost:
            print(
                f"{self.suite.name}: {len(lost):,} pictures came out with numbers that are not finite and count as empty"
            )
        count = len(wanted) // len(self.items)
        each = [(item, wanted[number * count + n].path) for number, item in enumerate(self.items) for n in range(count)]
        judged = self._judged([(item, path) for item, path in each if path not in lost], name)
        if self.suite.reads:
            judged += [Judgement(i, None, (), self.suite.judge(i, ())) for i, path in each if path in lost]
        return judged, len(lost)

    def _judged(self, pictures: Sequence[tuple[Item, Path]], what: str) -> list[Judgement]:
        found = self._read(pictures, what)
        if type(self.suite).look is Suite.look:  # pictures are large: they are opened only where they are looked at
            return found
        for start in range(0, len(found), _TOGETHER):
            part = found[start : start + _TOGETHER]
            seen = self.suite.look([j.item for j in part], [load(j.path) for j in part if j.path])
            found[start : start + _TOGETHER] = [
                replace(j, judged={**j.judged, **more}) for j, more in zip(part, seen, strict=True)
            ]
        return found

    def _read(self, pictures: Sequence[tuple[Item, Path]], what: str) -> list[Judgement]:
        if not self.suite.reads:
            return [Judgement(item, path, None, {}) for item, path in pictures]
        jobs = [ToRead(path, item.box, self.suite.one_line) for item, path in pictures]
        seen = self.readings.read(jobs, f"{self.suite.name}, {what}")
        unread = [s.fault for s in seen if s.lines is None]
        if unread:
            print(f"{self.suite.name}: the reader failed on {len(unread):,} {what}, which count as empty: {unread[0]}")
        return [
            Judgement(item, path, s.lines or (), self.suite.judge(item, s.lines or ()), s.fault)
            for (item, path), s in zip(pictures, seen, strict=True)
        ]

    def _add_ceiling(self, result: Result) -> None:
        """The reader on clean renderings of the same texts, and on some with one glyph damaged."""
        places = {id(j.item): None for j in result.after}
        items = [item for item in self.items if id(item) in places]
        pairs = list[tuple[Item, Path]]()
        for item, clean in zip(items, self.suite.clean(items), strict=True):
            if clean is not None:
                pairs.append((item, self._kept("clean", item, clean.picture)))
        result.ceiling = self._read(pairs, "clean renderings")
        if len(pairs) < len(items):
            print(f"{self.suite.name}: {len(items) - len(pairs):,} texts cannot be rendered clean on their canvas")
        if self.config.damaged:
            result.damaged = self._damaged(result.ceiling)

    def _damaged(self, ceiling: Sequence[Judgement]) -> Damaged:
        """The reader on some of the texts that were rendered clean, each whole and with a character damaged."""
        chosen = np.linspace(0, len(ceiling) - 1, min(self.config.damaged, len(ceiling))).round().astype(int)
        whole, broken, characters = list[tuple[Item, Path]](), list[tuple[Item, Path]](), list[str]()
        for place in np.unique(chosen).tolist():
            item = replace(ceiling[place].item, box=None)
            made = render_damaged(item.text, (item.width, item.height), self.config.seed + place)
            if made is not None:
                whole.append((item, self._kept("whole", item, made[0].picture)))
                broken.append((item, self._kept("damaged", item, made[1].picture)))
                characters.append(made[2])
        both = zip(self._read(whole, "whole glyphs"), self._read(broken, "damaged glyphs"), characters, strict=True)
        verdicts = [
            is_accepted(character, "".join(before.lines or ()), "".join(after.lines or ()), after.item.text)
            for before, after, character in both
        ]
        shown = [verdict for verdict in verdicts if verdict is not None]
        why = "" if shown else "no clean rendering has a glyph that was read and can be damaged"
        return Damaged(sum(shown), len(shown), why)

    def _kept(self, name: str, item: Item, picture: np.ndarray) -> Path:
        path = self.folder / name / f"{item.id}.png"
        if not path.exists() or not np.array_equal(load(path), picture):
            replace_picture(path, Image.fromarray(picture))
        return path
