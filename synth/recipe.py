"""The recipe: a config and an index give a sample, the same bytes in any process and any order.

    Recipe.load(yaml) ──> Recipe ──render(index)──> Sample
                                      │
       schedule(index) ─> content, ordinal ─> DrawRequest ─> strategy ─> Composition ─> captions, regions
                                                   ^─────────────┘ Undrawable: discard the text whole, draw again

All randomness of a sample comes from (recipe digest, index, attempt).
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np

import configs
from configs.errors import UserError
from configs.kinds import OpenKind
from configs.renamed import to_first_names
from synth.caption.damage import damage_told
from synth.caption.describe import CaptionConfig, describe
from synth.caption.facts import facts_of
from synth.caption.instructions import instruct
from synth.content.base import Content, ContentRequest
from synth.content.canvas import Canvas
from synth.content.contact import Contact
from synth.content.dense import Dense
from synth.content.kinds import Charset, Line, Mixed, Number, Paragraph, Sentence, Word
from synth.content.page import Page
from synth.content.pair import Pair
from synth.content.rare import Balanced
from synth.content.sign import Sign
from synth.corpus.corpus import Corpora, CorpusSource
from synth.damage.damage import DamageConfig, with_damage
from synth.digest import recipe_digest
from synth.drawing import regions
from synth.drawing.colors import ColorConfig
from synth.drawing.style import EffectConfig
from synth.errors import Undrawable
from synth.fonts.source import FontSource, find
from synth.sample import Caption, Sample
from synth.schedule import Schedule
from synth.strategies.base import Composition, DrawRequest, Strategy
from synth.strategies.context import RenderContext
from synth.strategies.edit.strategy import EditStrategy
from synth.strategies.pure import PureStrategy
from synth.strategies.scene.scene import SceneStrategy
from synth.strategies.template.strategy import TemplateStrategy
from synth.strategies.twin import TwinStrategy
from synth.typeset.layout import LayoutConfig

AnyContent = (
    Charset | Number | Word | Line | Sentence | Paragraph | Page | Dense | Mixed | Balanced | Contact | Pair | Sign
)
AnyStrategy = PureStrategy | SceneStrategy | TemplateStrategy | EditStrategy | TwinStrategy


@dataclass(frozen=True)
class RecipeConfig:
    """``configs/synth/*.yaml``. A content's own ``canvases`` and ``layout`` replace the recipe's."""

    name: str
    fonts: tuple[FontSource, ...]
    canvases: tuple[Canvas, ...]
    contents: tuple[Annotated[AnyContent, OpenKind(Content)], ...] = ()  # a recipe of templates has none
    seed: int = 0
    strategy: Annotated[AnyStrategy, OpenKind(Strategy)] = field(default_factory=lambda: PureStrategy("pure"))
    layout: LayoutConfig = field(default_factory=LayoutConfig)
    colors: ColorConfig = field(default_factory=ColorConfig)
    effects: EffectConfig = field(default_factory=EffectConfig)
    captions: CaptionConfig = field(default_factory=CaptionConfig)
    corpora: tuple[CorpusSource, ...] = ()
    damage: DamageConfig = field(default_factory=DamageConfig)
    attempts: int = 50  # texts drawn for one sample before the recipe is called impossible

    def __post_init__(self) -> None:
        for name in ("fonts", "canvases"):
            if not getattr(self, name):
                raise ValueError(f"{name} must hold at least one entry")
        self.strategy.check_contents(self.contents)
        edits = isinstance(self.strategy, EditStrategy) or (
            isinstance(self.strategy, TwinStrategy) and self.strategy.edits
        )
        if self.damage.pictures and edits:
            raise ValueError("damage.pictures: pictures of edits stay whole; take another strategy")
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
        self.context = RenderContext(self.fonts, config.colors, config.effects)
        self.drawer = config.strategy.open()
        self.digest = recipe_digest(
            to_first_names(config), self.fonts, self.corpora, self.drawer.identity(), config.contents
        )
        self._schedule = Schedule([c.weight for c in config.contents] or [1.0], config.seed)

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
        """Read a config file and check that each of its contents can be drawn. Raises UserError."""
        recipe = cls.open(path, overrides)
        with _about(path):
            recipe.check()
        return recipe

    @classmethod
    def open(cls, path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
        """Read a config file and find its fonts, without drawing anything. Raises UserError."""
        config = configs.load(path, RecipeConfig, overrides)
        with _about(path):
            return cls(config)

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
        """Texts that the contents with a held-out fraction never render (see ``kinds.is_held_out``)."""
        return sorted({text for content in self.config.contents for text in content.held_out(self.corpora)})

    def check(self) -> None:
        """Raise UserError when one of the contents cannot be drawn at all."""
        for number in range(max(len(self.config.contents), 1)):
            self._first_drawable(number, 0, [number])

    def render(self, index: int) -> Sample:
        """Sample ``index`` (from 0). Raises UserError when ``attempts`` texts in a row could not be shown whole."""
        return self._finish(self._drawn(index), index)

    def text(self, index: int) -> tuple[str, Counter[str]]:
        """What ``render`` would show, without painting where the strategy allows it, and the characters no font had."""
        drawn = self._drawn(index)
        return drawn.composition.shown, drawn.missing_glyphs

    def _drawn(self, index: int) -> _Drawn:
        if index < 0:
            raise UserError(f"recipe {self.name}: index must be at least 0, found {index}")
        shared, side = divmod(index, 2) if self.config.strategy.paired else (index, 0)
        number, ordinal = self._schedule.at(shared)
        return self._first_drawable(number, ordinal, [shared, int(self.digest[:16], 16)], side)

    def _pair_id(self, index: int) -> str | None:
        """What both twins have in common: 32 hex digits, None for pictures that have none."""
        return self.sample_id(-1 - index // 2) if self.config.strategy.paired else None

    def _first_drawable(self, number: int, ordinal: int, entropy: list[int], side: int = 0) -> _Drawn:
        reasons: Counter[str] = Counter()
        missing_glyphs: Counter[str] = Counter()
        for attempt in range(self.config.attempts):
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([*entropy, attempt])))
            # A closed set keeps its turn for some attempts (it may fit in another layout) unless no font draws it.
            kept = attempt < self.config.attempts // 2 and not missing_glyphs
            turn = ordinal if kept else int(rng.integers(2**31))
            try:
                return _Drawn(self._draw(number, turn, rng, side), rng, attempt, missing_glyphs)
            except Undrawable as reason:
                reasons[str(reason)] += 1
                missing_glyphs.update(reason.missing_glyphs)
        ((reason_, _),) = reasons.most_common(1)
        where = f"contents.{number} ({self.config.contents[number].kind})" if self.config.contents else "strategy"
        raise UserError(f"{where}: none of {self.config.attempts} texts could be shown whole; most often: {reason_}")

    def _draw(self, number: int, ordinal: int, rng: np.random.Generator, side: int) -> Composition:
        config = self.config
        content = config.contents[number] if config.contents else None
        request = DrawRequest(
            self.context,
            rng,
            (content and content.layout) or config.layout,
            (content and content.canvases) or config.canvases,
            content,
            ContentRequest(rng, ordinal, (config.seed, number), self.corpora),
            side,
        )
        return with_damage(self.drawer.draw(request), config.damage, rng)

    def _finish(self, drawn: _Drawn, index: int) -> Sample:
        composition, layers = drawn.composition, drawn.composition.drawing.texts
        corpus, license_ = self.corpora.identity(composition.text.corpus)
        photos = composition.photos
        parents = [*(font.id for font in composition.fonts), corpus, *(photo.id for photo in photos)]
        captions, instructions = self._describe(composition, drawn.rng)
        return Sample(
            id=self.sample_id(index),
            recipe=self.name,
            index=index,
            image=composition.image,
            text=composition.shown,
            text_language=composition.language,
            text_level=composition.level,
            captions=captions,
            regions=regions.of(composition.drawing),
            license=_joined([license_ or composition.text.license, *(photo.license for photo in photos)]),
            parents=list(dict.fromkeys(parents)),
            task=composition.task,
            reference=composition.reference,
            instructions=instructions,
            strategy=self.config.strategy.kind,
            medium=composition.medium,
            fonts=sorted({font.family for font in composition.fonts}),
            colors=list(dict.fromkeys(layer.style.color.en for layer in layers)),
            effects=sorted({effect for layer in layers for effect in layer.effects}),
            pair=self._pair_id(index),
            photographic=bool(photos),
            discarded=drawn.attempt,
            missing_glyphs=dict(drawn.missing_glyphs),
        )

    def _describe(self, composition: Composition, rng: np.random.Generator) -> tuple[list[Caption], list[Caption]]:
        """Captions and instructions: an edit is described by its instruction alone."""
        if composition.change is None:
            captions = describe(facts_of(composition, self.config.captions.quote), self.config.captions, rng)
            return [replace(c, text=c.text + damage_told(composition.drawing, c.language)) for c in captions], []
        language = composition.instruction_language
        return [], [Caption(instruct(composition.change, language, rng), language)]


@contextlib.contextmanager
def _about(path: str | Path) -> Iterator[None]:
    """Name the config in a UserError."""
    try:
        yield
    except UserError as error:
        raise UserError(f"config {path}: {error}") from None


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A picture, its random stream where the drawing left it, and what was discarded before.

    ``attempt``: how many texts were thrown away. ``missing_glyphs``: characters that no font draws, and how many of
    those texts had them.
    """

    composition: Composition
    rng: np.random.Generator
    attempt: int
    missing_glyphs: Counter[str]


def _joined(licenses: Sequence[str]) -> str:
    """One SPDX expression for what all of ``licenses`` apply to; unknown where one is."""
    known = list(dict.fromkeys(licenses))
    if "unknown" in known:
        return "unknown"
    return " AND ".join(f"({item})" if " OR " in item and len(known) > 1 else item for item in known)
