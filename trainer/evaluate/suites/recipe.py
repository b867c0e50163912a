"""What a recipe renders: the texts a model is asked to draw, in the words and sizes it was trained with.

    recipe ──contents of the suite's kind──> texts ──the same recipe, these texts only──> prompt, size, clean picture

    glyphs   every character of the recipe's charsets
    numbers  numbers that the recipe never renders (held out), equally many of each length
    words    words of the recipe (those it never renders, where it holds some out)
    lines    phrases and rows of characters that another seed of the recipe draws, less those of its first samples

The clean rendering of the same text by the same recipe gives the reader's ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import ClassVar

import numpy as np

import configs
from configs import UserError
from synth.content.kinds import Charset, Word
from synth.corpus.corpus import Corpora
from synth.recipe import AnyContent, Recipe, RecipeConfig
from trainer.evaluate.base import Item, Judged, Suite
from trainer.evaluate.reading.clean import of_sample
from trainer.evaluate.scores.exact import judge_text

_OTHER_SEED = 1_000_003  # added to the recipe's seed where texts must differ from training's
_TRAINED = 4_000  # the recipe's first samples, whose texts count as seen in training


class _RecipeSuite(Suite):
    main = "exact"
    one_line = True
    untrained = True

    def items(self) -> list[Item]:
        limit = int(getattr(self.config, self.name, 1))
        return _numbered(make_items(self.name, self.config.recipe, limit))

    def judge(self, item: Item, lines: Sequence[str]) -> Judged:
        return judge_text(item.text, "".join(lines))


class Glyphs(_RecipeSuite):
    name: ClassVar[str] = "glyphs"


class Numbers(_RecipeSuite):
    name: ClassVar[str] = "numbers"


class Words(_RecipeSuite):
    name: ClassVar[str] = "words"


class Lines(_RecipeSuite):
    name: ClassVar[str] = "lines"


def _numbered(items: Sequence[Item]) -> list[Item]:
    """The same with their places as ids."""
    return [replace(item, id=str(number)) for number, item in enumerate(items)]


def make_items(suite: str, recipe: str, limit: int) -> list[Item]:
    """At most ``limit`` items (glyphs: all of them); empty if the recipe has no such content."""
    config = configs.load(recipe, RecipeConfig)
    contents = [content for content in config.contents if suite_of(content) == suite]
    share = -(-limit // len(contents)) if contents else 0
    seen = _trained(config) if suite == "lines" and contents else set()
    per_content = [_items(config, content, suite, share, seen) for content in contents]
    mixed = [item for group in zip_longest(*per_content) for item in group if item is not None]
    return mixed if suite == "glyphs" else mixed[:limit]


def suite_of(content: AnyContent) -> str | None:
    """The suite that asks for this content; sentences and paragraphs belong to none."""
    if isinstance(content, Charset):
        return "glyphs" if content.count == (1, 1) else "lines"
    return {"number": "numbers", "word": "words", "line": "lines"}.get(content.kind)


def _items(config: RecipeConfig, content: AnyContent, suite: str, limit: int, seen: set[str]) -> list[Item]:
    if isinstance(content, Charset) and suite == "glyphs":
        return _render(config, content, len(content.items()), held_out=False)
    kept = content.held_out(Corpora(config.corpora))
    if kept:
        chosen = spread(kept, limit, config.seed)
        return _render(config, _exactly(content, chosen), len(chosen), held_out=True)
    if suite == "numbers":
        raise UserError(f"recipe {config.name}: its numbers hold none out; set held_out_fraction")
    if suite != "lines":
        return _render(config, content, limit, held_out=False)
    other = _render(replace(config, seed=config.seed + _OTHER_SEED), content, 2 * limit, held_out=True)
    return [item for item in other if item.text not in seen][:limit]


def _trained(config: RecipeConfig) -> set[str]:
    """Texts of the recipe's first samples."""
    recipe = Recipe(config)
    return {recipe.text(index)[0] for index in range(_TRAINED)}


def spread(texts: Sequence[str], limit: int, seed: int) -> list[str]:
    """``limit`` of the texts, drawn from ``seed``, as equally over their lengths as there are texts."""
    rng = np.random.Generator(np.random.PCG64(seed))
    lengths = sorted({len(text) for text in texts})
    groups = [[text for text in texts if len(text) == length] for length in lengths]
    shuffled = [[group[i] for i in rng.permutation(len(group))] for group in groups]
    return [text for row in zip_longest(*shuffled) for text in row if text is not None][:limit]


def _exactly(content: AnyContent, texts: Sequence[str]) -> Word:
    """A content on the same canvases that draws each of ``texts`` once per round."""
    longest = max(len(text) for text in texts)
    return Word(kind="word", words=tuple(texts), length=(1, longest), canvases=content.canvases, layout=content.layout)


def _render(config: RecipeConfig, content: AnyContent, count: int, held_out: bool) -> list[Item]:
    """The first ``count`` samples of the recipe with this content alone, each text once."""
    recipe = Recipe(replace(config, contents=(content,)))
    items: dict[str, Item] = {}
    for sample in map(recipe.render, range(count)):
        width, height = sample.image.size
        prompt = sample.captions[0].text
        item = Item("", prompt, width, height, (sample.text,), held_out=held_out, clean=of_sample(sample))
        items.setdefault(sample.text, item)
    return list(items.values())
