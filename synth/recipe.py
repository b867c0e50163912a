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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL.Image import Image

import configs
from configs.errors import UserError
from synth import contents, regions
from synth.block import Block
from synth.caption import CaptionConfig, describe, describe_scene
from synth.chance import Schedule, choose
from synth.colors import Color, ColorConfig, Ground, opposite, pick, pick_other
from synth.contents import Canvas, Charset, Line, Number, Paragraph, Sentence, Text, Word
from synth.corpus import Corpora, CorpusSource, data_sha256
from synth.drawing import Drawing, TextLayer
from synth.fonts import FontFile, FontSource, find
from synth.layout import Align, LayoutConfig, arrange, direction_for
from synth.page import Page, PageSetting, PageText, lay_out
from synth.paint import paint
from synth.photos import Backdrop, Photos
from synth.sample import Caption, Sample
from synth.scene import SceneStrategy, check_visible, find_place
from synth.shaped import Shaped, Undrawable
from synth.style import EffectConfig, TextStyle, pick_style
from synth.surface import ground_layers

AnyContent = Charset | Number | Word | Line | Sentence | Paragraph | Page
PLAIN = EffectConfig()
VERSION = "3"
"""Raised whenever the same config would draw other pixels or other words."""


@dataclass(frozen=True)
class PureStrategy:
    """Text on a clean ground (report, "pure rendering")."""

    kind: Literal["pure"]


@dataclass(frozen=True)
class RecipeConfig:
    """``configs/synth/*.yaml``. A content's own ``canvases`` and ``layout`` replace the recipe's."""

    name: str
    fonts: tuple[FontSource, ...]
    canvases: tuple[Canvas, ...]
    contents: tuple[AnyContent, ...]
    seed: int = 0
    strategy: PureStrategy | SceneStrategy = field(default_factory=lambda: PureStrategy("pure"))
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
        self.photos: Photos | None = None
        if isinstance(config.strategy, SceneStrategy):
            self.photos = Photos(config.strategy.photos, "strategy.photos")
        self.digest = _digest(config, self.fonts, self.corpora, self.photos)
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
        draw = contents.Draw(rng, ordinal, (config.seed, number), self.corpora)
        layout = content.layout or config.layout
        canvases = content.canvases or config.canvases
        if isinstance(content, Page):
            canvas = canvases[choose(rng, [c.share for c in canvases])].size
            return self._draw_page(content.write(draw), content, canvas, layout, rng, attempt)
        try:
            text = content.draw(draw)
        except ValueError as error:
            raise UserError(f"contents.{number} ({content.kind}): {error}") from None
        canvas = canvases[choose(rng, [c.share for c in canvases])].size
        direction = direction_for(layout, text.language, text.wrap, rng)
        font = self._font(text, rng)
        wght = font.wghts[int(rng.integers(len(font.wghts)))]
        shaped = Shaped(font.face(wght), text.text, text.language, direction == "vertical")
        words = _Words(text, font, shaped, direction == "curved")
        paint_on = self._draw_scene if isinstance(config.strategy, SceneStrategy) else self._draw_pure
        return paint_on(words, canvas, layout, rng, attempt)

    def _draw_page(
        self,
        page: PageText,
        content: Page,
        canvas: tuple[int, int],
        layout: LayoutConfig,
        rng: np.random.Generator,
        attempt: int,
    ) -> _Drawing:
        text = Text(
            " ".join(filter(None, (page.title, *page.lines))), page.language, "paragraph", f"grammar-{page.language}"
        )
        title_font, body_font = self._font(text, rng), self._font(text, rng)
        margin = max(layout.margin, 0.04) * min(canvas)
        box = (margin, margin, canvas[0] - margin, canvas[1] - margin)
        several = canvas[0] > 0.8 * canvas[1] and not page.markers
        columns = int(rng.integers(content.columns[0], content.columns[1] + 1)) if several else 1
        align: Align = "left" if page.markers or rng.random() < 0.4 else "justify"
        setting = PageSetting(
            columns,
            align,
            rng.uniform(1.3, 1.7),
            rng.uniform(1.3, 2.0),
            rng.random() < 0.5,
        )
        low, high = (layout.min_size, layout.max_size) if layout.size == "fit" else layout.size
        faces = title_font.face(title_font.wghts[-1]), body_font.face(body_font.wghts[len(body_font.wghts) // 3])
        blocks = lay_out(page, *faces, box, setting, (low, min(high, 0.09 * min(canvas))))
        ground, color = pick(self.config.colors, rng)
        other = pick_other(self.config.colors, ground, color, rng)
        layers = [
            TextLayer(b.block, TextStyle(other if b.role == "heading" else color), b.matrix, role=b.role)
            for b in blocks
        ]
        drawing = Drawing(canvas, (*ground_layers(ground, canvas, rng), *layers))
        return _Drawing(text, (title_font, body_font), drawing, paint(drawing), rng, attempt, ground)

    def _draw_pure(
        self, words: _Words, canvas: tuple[int, int], layout: LayoutConfig, rng: np.random.Generator, attempt: int
    ) -> _Drawing:
        block, matrix = arrange(
            words.shaped, canvas, layout, rng, words.text.wrap, words.curved, self.config.effects.reach
        )
        ground, color = pick(self.config.colors, rng)
        layer = TextLayer(block, self._style(block, color, ground.colors, rng), matrix, one_word=words.one)
        drawing = Drawing(canvas, (*ground_layers(ground, canvas, rng), layer))
        return _Drawing(words.text, (words.font,), drawing, paint(drawing), rng, attempt, ground)

    def _draw_scene(
        self, words: _Words, canvas: tuple[int, int], layout: LayoutConfig, rng: np.random.Generator, attempt: int
    ) -> _Drawing:
        strategy = self.config.strategy
        assert isinstance(strategy, SceneStrategy)
        assert self.photos is not None
        backdrop = self.photos.choose(canvas, rng)
        place = find_place(strategy, backdrop, words.aspect(rng), rng)
        if place.size[0] > place.size[1]:
            words = words.horizontal()
        block, matrix = arrange(
            words.shaped, place.size, layout, rng, words.text.wrap, words.curved, self.config.effects.reach
        )
        color = place.colors[int(rng.integers(len(place.colors)))]
        style = self._style(block, color, place.ground or (opposite(color),), rng)
        layer = TextLayer(block, style, place.matrix @ matrix, light=place.light, one_word=words.one)
        drawing = Drawing(canvas, (*place.behind, layer))
        image = paint(drawing)
        check_visible(image, drawing, paint(Drawing(canvas, place.behind)))
        ground = Ground(place.ground) if place.ground else None
        return _Drawing(words.text, (words.font,), drawing, image, rng, attempt, ground, place.medium, backdrop)

    def _style(self, block: Block, color: Color, grounds: tuple[Color, ...], rng: np.random.Generator) -> TextStyle:
        effects = self.config.effects if block.size >= self.config.effects.least else PLAIN
        return pick_style(effects, color, grounds, rng)

    def _font(self, text: Text, rng: np.random.Generator) -> FontFile:
        fitting = [f for f in self.fonts if text.language in f.source.languages]
        if not fitting:
            raise UserError(f"fonts: none is for language '{text.language}'")
        return fitting[choose(rng, [f.source.share for f in fitting])]

    def _finish(self, drawing: _Drawing, index: int) -> Sample:
        text, rng = drawing.text, drawing.rng
        layers = drawing.drawing.texts
        corpus, license_ = self.corpora.identity(text.corpus)
        parents, licenses = [*dict.fromkeys(font.id for font in drawing.fonts), corpus], [license_]
        if drawing.backdrop:
            parents.append(drawing.backdrop.id)
            licenses.append(drawing.backdrop.license)
        return Sample(
            id=self.sample_id(index),
            recipe=self.name,
            index=index,
            image=drawing.image,
            text="\n".join(layer.block.text for layer in layers),
            text_language=text.language,
            text_level=_level(text, [layer.block for layer in layers]),
            captions=self._captions(drawing, layers[-1], rng),
            regions=regions.of(drawing.drawing),
            license=joined(licenses),
            parents=parents,
            discarded=drawing.attempt,
        )

    def _captions(self, drawing: _Drawing, layer: TextLayer, rng: np.random.Generator) -> list[Caption]:
        text, color = drawing.text, layer.style.color
        if drawing.ground is None or drawing.medium:
            return [describe_scene(text.text, text.language, color, drawing.medium, self.config.captions, rng)]
        hand = drawing.fonts[-1].source.handwriting
        return describe(text.text, text.language, drawing.ground, color, hand, self.config.captions, rng)


@dataclass(frozen=True)
class _Words:
    """A drawn text in a face, shaped."""

    text: Text
    font: FontFile
    shaped: Shaped
    curved: bool

    @property
    def one(self) -> bool:
        return self.text.unit == "item"

    def horizontal(self) -> _Words:
        """The same in lines: columns look lost on something wide."""
        shaped = self.shaped
        if not shaped.vertical:
            return self
        return replace(self, shaped=Shaped(shaped.face, self.text.text, self.text.language))

    def aspect(self, rng: np.random.Generator) -> float:
        """Width to height of a place that would suit the text."""
        if self.text.wrap:
            return float(rng.uniform(1.0, 2.4)) if not self.shaped.vertical else float(rng.uniform(0.5, 1.2))
        along = min(max(self.shaped.advance / 1.25, 0.8), 10.0)
        return 1 / along if self.shaped.vertical else along / 2 if self.curved else along


@dataclass(frozen=True)
class _Drawing:
    text: Text
    fonts: tuple[FontFile, ...]
    drawing: Drawing
    image: Image
    rng: np.random.Generator  # goes on where the drawing left it
    attempt: int
    ground: Ground | None
    medium: str | None = None
    backdrop: Backdrop | None = None


def joined(licenses: Sequence[str]) -> str:
    """One SPDX expression for what all of ``licenses`` apply to; unknown where one is."""
    known = list(dict.fromkeys(licenses))
    if "unknown" in known:
        return "unknown"
    return " AND ".join(f"({item})" if " OR " in item and len(known) > 1 else item for item in known)


def _level(text: Text, blocks: Sequence[Block]) -> int:
    """``text_level`` by what is seen: 1 character or word, 2 one line, 3 several lines, 4 a paragraph."""
    if sum(len(block.lines) for block in blocks) == 1:
        return 1 if text.unit == "item" else 2
    return 4 if text.unit == "paragraph" else 3


def _digest(config: RecipeConfig, fonts: Sequence[FontFile], corpora: Corpora, photos: Photos | None) -> str:
    """sha256 over all that decides a pixel. Where files lie does not: their content stands for them."""
    plain = configs.to_plain(config)
    plain["fonts"] = [configs.to_plain(f.source) | {"file": f.sha256, "package": None} for f in fonts]
    plain["corpora"] = [configs.to_plain(s) | {"file": corpora[s.name].sha256} for s in config.corpora]
    if photos:
        plain["strategy"]["photos"] = [photos.digest, photos.shares]
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
