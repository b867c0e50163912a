"""What a model is asked to draw when its pictures are to be compared: prompts of a recipe, or of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import configs
from configs import UserError
from synth.recipe import Recipe, RecipeConfig
from trainer.evaluate.base import Item
from trainer.evaluate.suites.recipe import suite_of

_TRIES = 50
"""Samples that are looked through for each text that is new; chosen."""


@dataclass(frozen=True)
class PromptsConfig:
    """``count`` prompts of ``recipe``, of the contents that ``suites`` of ``evaluate`` ask for (none: all), each text once.
    What the recipe holds out is never among them: it is for evaluation. ``file``: instead, a JSONL with a line per prompt:
    ``id``, ``prompt``, ``text`` (what should be read, or a list of it), ``width``, ``height``."""

    recipe: str = "configs/synth/glyphs.yaml"
    suites: tuple[Literal["glyphs", "numbers", "words", "lines"], ...] = ()
    count: int = 100
    file: str = ""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count: at least 1, found {self.count}")


def load_prompts(config: PromptsConfig) -> list[Item]:
    """At most ``config.count`` of a recipe, all of a file. Raises UserError naming what is missing or wrong."""
    return list(_of_file(Path(config.file))) if config.file else _of_recipe(config)


def _of_recipe(config: PromptsConfig) -> list[Item]:
    whole = configs.load(config.recipe, RecipeConfig)
    contents = tuple(c for c in whole.contents if not config.suites or suite_of(c) in config.suites)
    if not contents:
        raise UserError(f"field 'prompts.suites': {config.recipe} has no contents for {', '.join(config.suites)}")
    recipe = Recipe(replace(whole, contents=contents))
    items: dict[str, Item] = {}
    for index in range(_TRIES * config.count):
        if len(items) == config.count:
            break
        text = recipe.text(index)[0]
        if text not in items:
            sample = recipe.render(index)
            items[text] = Item(str(len(items)), sample.captions[0].text, *sample.image.size, (sample.text,))
    return list(items.values())


def _of_file(path: Path) -> Iterator[Item]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"field 'prompts.file': {path}: cannot be read: {error}") from None
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if line.strip():
            item = _item(line, f"field 'prompts.file': {path}, line {number}")
            if item.id in seen:
                raise UserError(f"field 'prompts.file': {path}, line {number}: a second prompt has the id '{item.id}'")
            seen.add(item.id)
            yield item
    if not seen:
        raise UserError(f"field 'prompts.file': {path}: holds no prompts")


def _item(line: str, where: str) -> Item:
    try:
        found: Any = json.loads(line)
        texts = found["text"] if isinstance(found["text"], list) else [found["text"]]
        item = Item(str(found["id"]), found["prompt"], found["width"], found["height"], tuple(texts))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{where}: expected id, prompt, text, width and height ({error})") from None
    sides = (item.width, item.height)
    if not all(isinstance(side, int) and side >= 16 and side % 16 == 0 for side in sides):
        raise UserError(f"{where}: width and height must be multiples of 16, found {sides[0]} and {sides[1]}")
    if not isinstance(item.prompt, str) or not all(isinstance(t, str) and t for t in item.texts):
        raise UserError(f"{where}: prompt and text must be strings, text not empty")
    if "/" in item.id or item.id in ("", ".", ".."):
        raise UserError(f"{where}: the id '{item.id}' names a file, so it holds no '/'")
    return item
