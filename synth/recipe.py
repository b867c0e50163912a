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
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import configs
from configs.errors import UserError
from synth import contents, regions
from synth.block import Block
from synth.caption import CaptionConfig, describe
from synth.chance import Schedule, choose
from synth.colors import ColorConfig, Ground, pick
from synth.contents import Canvas, Charset, Line, Number, Paragraph, Sentence, Text, Word
from synth.corpus import Corpora, CorpusSource, data_sha256
from synth.drawing import Drawing, GroundLayer, TextLayer
from synth.fonts import FontFile, FontSource, find
from synth.layout import LayoutConfig, arrange, direction_for
from synth.paint import paint
from synth.sample import Sample
from synth.shaped import Shaped, Undrawable
from synth.style import EffectConfig, pick_style

PLAIN = EffectConfig()
VERSION = "3"
"""Raised whenever the same config would draw other pixels or other words."""


@dataclass(frozen=True)
class RecipeConfig:
    """``configs/synth/*.yaml``. A content's own ``canvases`` and ``layout`` replace the recipe's."""

    name: str
    fonts: tuple[FontSource, ...]
    canvases: tuple[Canvas, ...]
    contents: tuple[Charset | Number | Word | Line | Sentence | Paragraph, ...]
    seed: int = 0
    layout: LayoutConfig = field(default_factory=LayoutConfig)
    colors: ColorConfig = field(default_factory=ColorConfig)
    effects: EffectConfig = field(default_factory=EffectConfig)
    captions: CaptionConfig = field(default_factory=CaptionConfig)
    corpora: tuple[CorpusSource, ...] = ()
    attempts: int = 50  # texts drawn for one sample before the recipe is called impossible

    def __post_init__(self) -> None:
        for name in ("fonts", "canvases", "contents"):
            if not getattr(self, name):
                raise ValueError(f"{name} must hold at least one entry")
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
        self.digest = _digest(config, self.fonts, self.corpora)
        self._schedule = Schedule([c.share for c in config.contents], config.seed)

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
        """Texts that the contents with a held-out part never render (see ``contents.is_held_out``)."""
        return sorted({text for content in self.config.contents for text in content.held_out(self.corpora)})

    def check(self) -> None:
        """Raise UserError when one of the contents cannot be drawn at all."""
        for number in range(len(self.config.contents)):
            self._first_drawable(number, 0, [number])

    def render(self, index: int) -> Sample:
        """Sample ``index`` (from 0). Raises UserError when ``attempts`` texts in a row could not be shown whole."""
        if index < 0:
            raise UserError(f"recipe {self.name}: index must be at least 0, found {index}")
        number, ordinal = self._schedule.at(index)
        drawing = self._first_drawable(number, ordinal, [index, int(self.digest[:16], 16)])
        return self._finish(drawing, index)

    def _first_drawable(self, number: int, ordinal: int, entropy: list[int]) -> _Drawing:
        reasons: Counter[str] = Counter()
        for attempt in range(self.config.attempts):
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([*entropy, attempt])))
            # A closed set keeps its turn for some attempts (another font may have the glyph), then gives it up.
            turn = ordinal if attempt < self.config.attempts // 2 else int(rng.integers(2**31))
            try:
                return self._draw(number, turn, rng, attempt)
            except Undrawable as reason:
                reasons[str(reason)] += 1
        ((reason_, _),) = reasons.most_common(1)
        raise UserError(
            f"contents.{number} ({self.config.contents[number].kind}): none of "
            f"{self.config.attempts} texts could be shown whole; most often: {reason_}"
        )

    def _draw(self, number: int, ordinal: int, rng: np.random.Generator, attempt: int) -> _Drawing:
        config, content = self.config, self.config.contents[number]
        try:
            text = content.draw(contents.Draw(rng, ordinal, (config.seed, number), self.corpora))
        except ValueError as error:
            raise UserError(f"contents.{number} ({content.kind}): {error}") from None
        font = self._font(text, rng)
        canvases = content.canvases or config.canvases
        canvas = canvases[choose(rng, [c.share for c in canvases])].size
        wght = font.wghts[int(rng.integers(len(font.wghts)))]
        layout = content.layout or config.layout
        direction = direction_for(layout, text.language, text.wrap, rng)
        shaped = Shaped(font.face(wght), text.text, text.language, direction == "vertical")
        block, matrix = arrange(shaped, canvas, layout, rng, text.wrap, direction == "curved")
        ground, color = pick(config.colors, rng)
        effects = config.effects if block.size >= config.effects.least else PLAIN
        style = pick_style(effects, color, ground.colors, rng)
        layer = TextLayer(block, style, matrix, one_word=text.unit == "item")
        return _Drawing(text, font, ground, Drawing(canvas, (GroundLayer(ground), layer)), rng, attempt)

    def _font(self, text: Text, rng: np.random.Generator) -> FontFile:
        fitting = [f for f in self.fonts if text.language in f.source.languages]
        if not fitting:
            raise UserError(f"fonts: none is for language '{text.language}'")
        return fitting[choose(rng, [f.source.share for f in fitting])]

    def _finish(self, drawing: _Drawing, index: int) -> Sample:
        text, rng, config = drawing.text, drawing.rng, self.config
        (layer,) = drawing.drawing.texts
        hand = drawing.font.source.handwriting
        corpus, license_ = self.corpora.identity(text.corpus)
        return Sample(
            id=self.sample_id(index),
            recipe=self.name,
            index=index,
            image=paint(drawing.drawing),
            text=layer.block.text,
            text_language=text.language,
            text_level=_level(text, layer.block),
            captions=describe(text.text, text.language, drawing.ground, layer.style.color, hand, config.captions, rng),
            regions=regions.of(drawing.drawing),
            license=license_,
            parents=[drawing.font.id, corpus],
            discarded=drawing.attempt,
        )


@dataclass(frozen=True)
class _Drawing:
    text: Text
    font: FontFile
    ground: Ground
    drawing: Drawing
    rng: np.random.Generator  # goes on where the layout left it
    attempt: int


def _level(text: Text, block: Block) -> int:
    """``text_level`` by what is seen: 1 character or word, 2 one line, 3 several lines, 4 a paragraph."""
    if len(block.lines) == 1:
        return 1 if text.unit == "item" else 2
    return 4 if text.unit == "paragraph" else 3


def _digest(config: RecipeConfig, fonts: Sequence[FontFile], corpora: Corpora) -> str:
    """sha256 over all that decides a pixel. Where files lie does not: their content stands for them."""
    plain = configs.to_plain(config)
    plain["fonts"] = [configs.to_plain(f.source) | {"file": f.sha256, "package": None} for f in fonts]
    plain["corpora"] = [configs.to_plain(s) | {"file": corpora[s.name].sha256} for s in config.corpora]
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
