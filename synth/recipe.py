"""The recipe: a config and an index give a sample, the same bytes in any process and any order.

    Recipe.load(yaml) ──> Recipe ──render(index)──> Sample
                                      │
       schedule(index) ─> content ─> text ─> font ─> canvas ─> layout ─> colours ─> paint ─> captions, regions
                            ^──────────────────────────────────┘ Undrawable: discard the text whole, draw again

All randomness of a sample comes from (recipe digest, index, attempt). The digest covers the config, the
content of every font file and corpus, and the versions of the engines that shape, paint and encode.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import configs
from configs.errors import UserError
from synth.caption.describe import CaptionConfig, describe
from synth.caption.facts import facts_of
from synth.choice import choose_key
from synth.content import kinds
from synth.content.base import Text
from synth.content.canvas import Canvas, pick_size
from synth.content.contact import Contact
from synth.content.kinds import Charset, Line, Mixed, Number, Paragraph, Sentence, Word
from synth.content.page import Page
from synth.content.rare import Balanced
from synth.corpus.builtin import data_sha256
from synth.corpus.corpus import Corpora, CorpusSource
from synth.drawing import regions
from synth.drawing.colors import ColorConfig
from synth.drawing.layers import TextLayer
from synth.drawing.paint import paint
from synth.drawing.style import EffectConfig
from synth.errors import Undrawable
from synth.fonts.source import FontFile, FontSource, find
from synth.language import language_of
from synth.photos import Photos
from synth.sample import Caption, Sample
from synth.schedule import Schedule
from synth.strategies import edit, page, pure
from synth.strategies.base import Composition, RenderContext
from synth.strategies.edit import EditStrategy
from synth.strategies.pure import PureStrategy
from synth.strategies.scene import scene
from synth.strategies.scene.scene import SceneStrategy
from synth.strategies.template import render
from synth.strategies.template.nodes import TemplateStrategy, load_templates
from synth.typeset.block import Block
from synth.typeset.layout import LayoutConfig

AnyContent = Charset | Number | Word | Line | Sentence | Paragraph | Page | Mixed | Balanced | Contact
PROSE = 3  # lines from which a template's text is a paragraph (ours)
VERSION = "3"
"""Raised whenever the same config would draw other pixels or other words."""


@dataclass(frozen=True)
class RecipeConfig:
    """``configs/synth/*.yaml``. A content's own ``canvases`` and ``layout`` replace the recipe's."""

    name: str
    fonts: tuple[FontSource, ...]
    canvases: tuple[Canvas, ...]
    contents: tuple[AnyContent, ...] = ()  # a recipe of templates has none
    seed: int = 0
    strategy: PureStrategy | SceneStrategy | TemplateStrategy | EditStrategy = field(
        default_factory=lambda: PureStrategy("pure")
    )
    layout: LayoutConfig = field(default_factory=LayoutConfig)
    colors: ColorConfig = field(default_factory=ColorConfig)
    effects: EffectConfig = field(default_factory=EffectConfig)
    captions: CaptionConfig = field(default_factory=CaptionConfig)
    corpora: tuple[CorpusSource, ...] = ()
    attempts: int = 50  # texts drawn for one sample before the recipe is called impossible

    def __post_init__(self) -> None:
        for name in ("fonts", "canvases", "contents"):
            if not getattr(self, name) and not (name == "contents" and self.strategy.kind == "template"):
                raise ValueError(f"{name} must hold at least one entry")
        if self.contents and self.strategy.kind == "template":
            raise ValueError("contents: templates bring their own; leave it out")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name):
            raise ValueError(f"name must be of letters, digits, '_', '.', '-', found '{self.name}'")
        if self.seed < 0 or self.attempts < 1:
            raise ValueError(f"seed must be at least 0 and attempts at least 1, found {self.seed} and {self.attempts}")
        known = {corpus.name for corpus in self.corpora}
        for number, content in enumerate(self.contents):
            wanted = getattr(content, "corpus", "")
            if wanted and wanted not in known:
                raise ValueError(f"contents.{number}.corpus: no corpus '{wanted}'; corpora: {sorted(known) or 'none'}")


class Recipe:
    """A loaded recipe. ``render`` is a pure function of the index."""

    def __init__(self, config: RecipeConfig) -> None:
        self.config = config
        self.fonts = find(config.fonts)
        self.corpora = Corpora(config.corpora)
        self.photos: Photos | None = None
        scenes = config.strategy.scene if isinstance(config.strategy, EditStrategy) else config.strategy
        if isinstance(scenes, SceneStrategy) or (isinstance(scenes, TemplateStrategy) and scenes.photos):
            self.photos = Photos(scenes.photos, "strategy.photos")
        self.tools = RenderContext(self.fonts, config.colors, config.effects)
        self.templates = load_templates(config.strategy) if isinstance(config.strategy, TemplateStrategy) else {}
        self.digest = _digest(config, self.fonts, self.corpora, self.photos, self.templates)
        self._schedule = Schedule([c.share for c in config.contents] or [1.0], config.seed)

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
        """Read a config file and check that each of its contents can be drawn. Raises UserError."""
        config = configs.load(path, RecipeConfig, overrides)
        try:
            recipe = cls(config)
            recipe.check()
        except UserError as error:
            raise UserError(f"config {path}: {error}") from None
        return recipe

    def __reduce__(self) -> tuple[type[Recipe], tuple[RecipeConfig]]:
        return Recipe, (self.config,)  # fonts are opened anew where it arrives

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def seed(self) -> int:
        return self.config.seed

    def sample_id(self, index: int) -> str:
        """32 hex digits of sha256 over digest, seed and index."""
        return hashlib.sha256(f"{self.digest}:{self.seed}:{index}".encode()).hexdigest()[:32]

    def held_out(self) -> list[str]:
        """Texts that the contents with a held-out part never render (see ``kinds.is_held_out``)."""
        return sorted({text for content in self.config.contents for text in content.held_out(self.corpora)})

    def check(self) -> None:
        """Raise UserError when one of the contents cannot be drawn at all."""
        for number in range(max(len(self.config.contents), 1)):
            self._first_drawable(number, 0, [number])

    def render(self, index: int) -> Sample:
        """Sample ``index`` (from 0). Raises UserError when ``attempts`` texts in a row could not be shown whole."""
        return self._finish(self._turn(index), index)

    def text(self, index: int) -> tuple[str, Counter[str]]:
        """What ``render`` would show, without painting where the strategy allows it, and the characters no font had."""
        turn = self._turn(index)
        return _shown(turn.made), turn.missing_glyphs

    def _turn(self, index: int) -> _Turn:
        if index < 0:
            raise UserError(f"recipe {self.name}: index must be at least 0, found {index}")
        number, ordinal = self._schedule.at(index)
        return self._first_drawable(number, ordinal, [index, int(self.digest[:16], 16)])

    def _first_drawable(self, number: int, ordinal: int, entropy: list[int]) -> _Turn:
        reasons: Counter[str] = Counter()
        missing_glyphs: Counter[str] = Counter()
        for attempt in range(self.config.attempts):
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([*entropy, attempt])))
            # A closed set keeps its turn for some attempts (it may fit in another layout) unless no font draws it.
            kept = attempt < self.config.attempts // 2 and not missing_glyphs
            turn = ordinal if kept else int(rng.integers(2**31))
            try:
                return _Turn(self._draw(number, turn, rng), rng, attempt, missing_glyphs)
            except Undrawable as reason:
                reasons[str(reason)] += 1
                missing_glyphs.update(reason.missing_glyphs)
        ((reason_, _),) = reasons.most_common(1)
        where = f"contents.{number} ({self.config.contents[number].kind})" if self.config.contents else "strategy"
        raise UserError(f"{where}: none of {self.config.attempts} texts could be shown whole; most often: {reason_}")

    def _draw(self, number: int, ordinal: int, rng: np.random.Generator) -> Composition:
        config = self.config
        if isinstance(config.strategy, TemplateStrategy):
            canvas = pick_size(config.canvases, rng)
            language = choose_key(rng, config.strategy.languages)
            return render.draw(self.tools, self.templates, canvas, language, rng, self.photos)
        content = config.contents[number]
        turn = kinds.ContentRequest(rng, ordinal, (config.seed, number), self.corpora)
        layout = content.layout or config.layout
        canvases = content.canvases or config.canvases
        if isinstance(content, Page):
            canvas = pick_size(canvases, rng)
            return page.draw(self.tools, content.write(turn), content, canvas, layout, rng)
        try:
            text = content.text(turn)
        except UserError:
            raise
        except ValueError as error:
            raise Undrawable(str(error)) from None  # the next attempt may find a text
        canvas = pick_size(canvases, rng)
        if isinstance(config.strategy, EditStrategy):
            write = partial(self._write, number, turn)
            backdrop = partial(self.photos.choose, canvas, rng) if self.photos else None
            return edit.draw(self.tools, config.strategy, write, backdrop, canvas, layout, rng)
        words = self.tools.words(text, layout, rng)
        if isinstance(config.strategy, SceneStrategy) and self.photos:
            return scene.draw(self.tools, words, config.strategy, self.photos.choose(canvas, rng), layout, rng)
        return pure.draw(self.tools, words, canvas, layout, rng)

    def _write(self, number: int, turn: kinds.ContentRequest, rng: np.random.Generator) -> Text:
        """Some text of a content, at a random turn."""
        return self.config.contents[number].text(replace(turn, rng=rng, ordinal=int(rng.integers(2**31))))

    def _finish(self, turn: _Turn, index: int) -> Sample:
        made = turn.made
        layers = made.drawing.texts
        text, language = _shown(made), made.text.language
        corpus, license_ = self.corpora.identity(made.text.corpus)
        parents, licenses = [*dict.fromkeys(font.id for font in made.fonts), corpus], [license_]
        photos = [*([made.backdrop] if made.backdrop else []), *made.pictures]
        parents += dict.fromkeys(photo.id for photo in photos)
        licenses += [photo.license for photo in photos]
        return Sample(
            id=self.sample_id(index),
            recipe=self.name,
            index=index,
            image=made.image,
            text=text,
            text_language=language if made.source is None else language_of(text) if text else "none",
            text_level=_level_of_many(layers) if made.family else _level(made.text, [layer.block for layer in layers]),
            captions=self._captions(made, turn.rng),
            regions=regions.of(made.drawing),
            license=joined(licenses),
            parents=parents,
            strategy=self.config.strategy.kind,
            medium=made.medium,
            fonts=sorted({font.family for font in made.fonts}),
            colors=list(dict.fromkeys(layer.style.color.en for layer in layers)),
            effects=sorted({effect for layer in layers for effect in layer.effects}),
            photographic=bool(photos),
            discarded=turn.attempt,
            missing_glyphs=dict(turn.missing_glyphs),
            **self._pair(made),
        )

    def _pair(self, made: Composition) -> dict[str, Any]:
        """The other half of an edit."""
        if made.source is None:
            return {}
        same = made.source.layers == made.drawing.layers
        return {
            "task": "i2i" if same else "ti2i",
            "reference": made.image if same else paint(made.source),
            "instructions": [Caption(made.instruction, made.spoken)],
        }

    def _captions(self, made: Composition, rng: np.random.Generator) -> list[Caption]:
        if made.source is not None:  # an edit is described by its instruction
            return []
        return describe(facts_of(made), self.config.captions, rng)


@dataclass(frozen=True, eq=False)
class _Turn:
    """A picture, its stream where the drawing left it, how many texts were thrown away before, and which characters
    no font drew in how many of those."""

    made: Composition
    rng: np.random.Generator
    attempt: int
    missing_glyphs: Counter[str]


def _shown(made: Composition) -> str:
    return "\n".join(layer.block.text for layer in made.drawing.texts)


def _level_of_many(layers: Sequence[TextLayer]) -> int:
    """Of a template: 4 with a paragraph of at least three lines in it, else 3, or 2 for a single line."""
    lines = [len(layer.block.lines) for layer in layers]
    return 4 if max(lines) >= PROSE else 3 if sum(lines) > 1 else 2


def joined(licenses: Sequence[str]) -> str:
    """One SPDX expression for what all of ``licenses`` apply to; unknown where one is."""
    known = list(dict.fromkeys(licenses))
    if "unknown" in known:
        return "unknown"
    return " AND ".join(f"({item})" if " OR " in item and len(known) > 1 else item for item in known)


def _level(text: Text, blocks: Sequence[Block]) -> int:
    """``text_level`` by what is seen: 0 nothing, 1 character or word, 2 one line, 3 several lines, 4 a paragraph."""
    if not blocks:
        return 0
    if sum(len(block.lines) for block in blocks) == 1:
        return 1 if text.unit == "item" else 2
    return 4 if text.unit == "paragraph" else 3


def _digest(
    config: RecipeConfig,
    fonts: Sequence[FontFile],
    corpora: Corpora,
    photos: Photos | None,
    templates: Mapping[str, Any],
) -> str:
    """sha256 over all that decides a pixel. Where files lie does not: their content stands for them."""
    plain = configs.to_plain(config)
    plain["fonts"] = [configs.to_plain(f.source) | {"file": f.sha256, "package": None} for f in fonts]
    plain["corpora"] = [configs.to_plain(s) | {"file": corpora[s.name].sha256} for s in config.corpora]
    if photos:
        scenes = plain["strategy"].get("scene", plain["strategy"])
        scenes["photos"] = [photos.digest, photos.shares]  # where they lie does not matter
    plain["templates"] = {family: configs.to_plain(t) for family, (t, _) in templates.items()}
    packages = sorted({package for content in config.contents for package in content.packages})
    plain["packages"] = {package: metadata.version(package) for package in packages}
    covered = {"config": plain, "data": data_sha256(), "engines": engines(), "synth": VERSION}
    return hashlib.sha256(json.dumps(covered, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def engines() -> dict[str, str]:
    """Versions of what shapes, paints, encodes and draws lots."""
    import PIL
    import skia
    import uharfbuzz
    from PIL import features

    return {
        "harfbuzz": uharfbuzz.version_string(),
        "skia": skia.__version__,
        "pillow": PIL.__version__,
        "webp": str(features.version("webp")),
        "numpy": np.__version__,
    }
