"""The template strategy (report, "complex rendering"): pictures laid out by the files of ``synth/templates``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import configs
from configs.errors import UserError
from configs.renamed import to_first_names
from synth.choice import check_weights, choose, choose_key
from synth.content.base import Content
from synth.errors import Undrawable
from synth.language import CaptionLanguage
from synth.photos import Photos, PhotoSource
from synth.strategies.base import Composition, DrawRequest, Strategy
from synth.strategies.template.nodes import Template
from synth.strategies.template.render import render

_SELDOM = 0.1  # chosen: times its weight a family is drawn on canvases that it fills, but not well
FOLDER = Path(__file__).parents[2] / "templates"


@dataclass(frozen=True)
class TemplateStrategy(Strategy):
    """``families``: weights by the names of files in synth/templates, empty for all alike. ``files``: own ones beside them.

    ``photos``: photographs for the pictures in them.
    """

    kind: Literal["template"]
    families: dict[str, float] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    photos: tuple[PhotoSource, ...] = ()
    languages: dict[CaptionLanguage, float] = field(default_factory=lambda: {"zh": 1.0, "en": 1.0})

    def __post_init__(self) -> None:
        check_weights("languages", self.languages)
        if self.families:
            check_weights("families", self.families)

    def check_contents(self, contents: Sequence[Content]) -> None:
        if contents:
            raise ValueError("contents: templates bring their own; leave it out")

    def open(self) -> TemplateDrawer:
        photos = Photos(self.photos, "strategy.photos") if self.photos else None
        return TemplateDrawer(self, _load_templates(self), photos)


@dataclass(frozen=True, eq=False)
class TemplateDrawer:
    """The template strategy with its files read. ``templates``: each family with its weight."""

    strategy: TemplateStrategy
    templates: Mapping[str, tuple[Template, float]]
    photos: Photos | None

    def draw(self, request: DrawRequest) -> Composition:
        """A picture of a family that suits the canvas. Raises Undrawable where none does."""
        family, canvas, language = self.chosen(request)
        return render(request.context, family, self.templates[family][0], canvas, language, request.rng, self.photos)

    def chosen(self, request: DrawRequest) -> tuple[str, tuple[int, int], CaptionLanguage]:
        """A family that suits the canvas, the canvas in px, and the language of its texts. Raises Undrawable."""
        rng, canvas = request.rng, request.canvas()
        language = choose_key(rng, self.strategy.languages)
        aspect = canvas[0] / canvas[1]
        fitting = {f: t for f, t in self.templates.items() if t[0].aspect[0] <= aspect <= t[0].aspect[1]}
        if not fitting:
            raise Undrawable(f"no template suits a canvas of {canvas[0]} x {canvas[1]}")
        wells = [t.suits or t.aspect for t, _ in fitting.values()]
        weights = [
            weight if low <= aspect <= high else _SELDOM * weight
            for (low, high), (_, weight) in zip(wells, fitting.values(), strict=True)
        ]
        return list(fitting)[choose(rng, weights)], canvas, language

    def identity(self) -> dict[str, Any]:
        """The config with the contents of templates and photographs in place of where they lie."""
        plain = to_first_names(self.strategy)
        if self.photos:
            plain["photos"] = [self.photos.digest, self.photos.weights]
        return plain | {"templates": {family: to_first_names(t) for family, (t, _) in self.templates.items()}}


def _load_templates(strategy: TemplateStrategy) -> dict[str, tuple[Template, float]]:
    """Templates with their weights, by family. Raises UserError for an unknown family or a wrong file."""
    paths = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
    for name in strategy.files:
        path = Path(name).expanduser()
        if not path.exists():
            raise UserError(f"strategy.files: {path} does not exist")
        paths |= {p.stem: p for p in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])}
    for family in strategy.families:
        if family not in paths:
            raise UserError(f"strategy.families: no template '{family}'; there are {', '.join(paths)}")
    wanted = strategy.families or dict.fromkeys(paths, 1.0)
    return {family: (_read(paths[family]), weight) for family, weight in wanted.items()}


@lru_cache(maxsize=256)
def _read(path: Path) -> Template:
    return configs.load(path, Template)
