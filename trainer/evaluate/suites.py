"""The suites: which texts a model is asked to draw, in the words and sizes it was trained with.

    recipe ──contents of the suite's kind──> texts ──the same recipe, these texts only──> prompt, size, clean picture

    glyphs   every character of the recipe's charsets
    numbers  numbers that the recipe never renders (held out), equally many of each length
    words    words of the recipe (those it never renders, where it holds some out)
    lines    phrases and rows of characters that another seed of the recipe draws, less those of its first samples

The clean rendering of the same text by the same recipe gives the reader's ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

import configs
from configs import UserError
from synth.content.kinds import Charset, Word
from synth.corpus.corpus import Corpora
from synth.recipe import AnyContent, Recipe, RecipeConfig

_SUITES = ("glyphs", "numbers", "words", "lines")
_OTHER_SEED = 1_000_003  # added to the recipe's seed where texts must differ from training's
_TRAINED = 4_000  # the recipe's first samples, whose texts count as seen in training


@dataclass(frozen=True)
class Item:
    """One thing to draw: ``text`` as asked in ``prompt``, on ``width`` x ``height`` px; ``clean``: (H, W, 3) uint8."""

    text: str
    prompt: str
    width: int
    height: int
    clean: np.ndarray
    held_out: bool


def make_suite(suite: str, recipe: str, limit: int) -> list[Item]:
    """At most ``limit`` items (glyphs: all of them). UserError for an unknown suite; empty if the recipe has no such content."""
    if suite not in _SUITES:
        raise UserError(f"--suite: unknown suite '{suite}'; allowed: {', '.join(_SUITES)}")
    config = configs.load(recipe, RecipeConfig)
    contents = [content for content in config.contents if suite_of(content) == suite]
    share = -(-limit // len(contents)) if contents else 0
    seen = _trained(config) if suite == "lines" else set()
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


def _exactly(content: AnyContent, texts: Sequence[str]) -> AnyContent:
    """A content on the same canvases that draws each of ``texts`` once per round."""
    longest = max(len(text) for text in texts)
    return Word(kind="word", words=tuple(texts), length=(1, longest), canvases=content.canvases, layout=content.layout)


def _render(config: RecipeConfig, content: AnyContent, count: int, held_out: bool) -> list[Item]:
    """The first ``count`` samples of the recipe with this content alone, each text once."""
    recipe = Recipe(replace(config, contents=(content,)))
    items: dict[str, Item] = {}
    for sample in map(recipe.render, range(count)):
        width, height = sample.image.size
        item = Item(sample.text, sample.captions[0].text, width, height, np.asarray(sample.image), held_out)
        items.setdefault(sample.text, item)
    return list(items.values())
