"""Edit pairs (TI2I): a picture, an instruction, the picture after it. Reconstruction (I2I): the same picture twice.

    canvas: a ground or a photograph, with one to three texts ──operation on one of them──> source, target, Change

The instruction is written from the Change, by ``synth.caption``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from configs.renamed import to_first_names
from synth.choice import check_weights, choose_key
from synth.content.base import Content, Text
from synth.corpus.builtin import pairs
from synth.drawing.layers import Drawing
from synth.drawing.paint import paint, paint_twice
from synth.errors import Undrawable
from synth.language import CaptionLanguage, language_of
from synth.photos import Photos
from synth.strategies.base import Composition, DrawRequest, Strategy
from synth.strategies.edit.canvas import PlacedText, photo_canvas, place_text, plain_canvas
from synth.strategies.edit.on_template import ON_TEMPLATES, template_pair
from synth.strategies.edit.operations import OPERATIONS, Edit, Operation, apply
from synth.strategies.scene.scene import SceneDrawer, SceneStrategy
from synth.strategies.scene.visible import check_visible
from synth.strategies.template.strategy import TemplateDrawer, TemplateStrategy

_TRIES = 20  # texts drawn for one picture before it is given up
_PLAIN_ONLY = ("move", "background")  # a photograph has one place for text, and no ground to change


@dataclass(frozen=True)
class EditStrategy(Strategy):
    """``operations``: weights. ``texts``: how many stand on a plain ground, [least, most].

    ``scene``: where given, this ``photographed`` part of the pairs is made from photographs, with one text each.
    ``template``: where given, this ``templated`` part of them, and all where it is 1, is made from designed pictures, by
    such ``operations`` as can be done to these; contents are then not needed.
    """

    kind: Literal["edit"]
    operations: dict[Operation, float] = field(default_factory=lambda: dict.fromkeys(OPERATIONS, 1.0))
    texts: tuple[int, int] = (1, 3)
    scene: SceneStrategy | None = None
    photographed: float = 0.5
    template: TemplateStrategy | None = None
    templated: float = 0.25
    languages: dict[CaptionLanguage, float] = field(
        default_factory=lambda: {"zh": 1.0, "en": 1.0}
    )  # of the instruction

    def __post_init__(self) -> None:
        check_weights("operations", self.operations)
        check_weights("languages", self.languages)
        if not 1 <= self.texts[0] <= self.texts[1] <= 4:
            raise ValueError(f"texts must be [least, most] within 1..4, found {list(self.texts)}")
        for name in ("photographed", "templated"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be within 0..1, found {getattr(self, name):g}")
        if self.template and self.templated and not any(self.on_templates.values()):
            raise ValueError(f"operations: templates take {', '.join(ON_TEMPLATES)}; name one of them, or templated: 0")

    @property
    def on_templates(self) -> dict[Operation, float]:
        """The weights of those operations that can be done to a designed picture."""
        return {o: weight for o, weight in self.operations.items() if o in ON_TEMPLATES}

    def check_contents(self, contents: Sequence[Content]) -> None:
        if self.template is None or self.templated < 1:
            super().check_contents(contents)

    def open(self) -> EditDrawer:
        return EditDrawer(
            self, self.scene.open() if self.scene else None, self.template.open() if self.template else None
        )


@dataclass(frozen=True, eq=False)
class EditDrawer:
    """The edit strategy with its photographs and templates found."""

    strategy: EditStrategy
    scene: SceneDrawer | None
    template: TemplateDrawer | None

    @property
    def photos(self) -> Photos | None:
        """Those that the pairs are drawn on."""
        return self.scene.photos if self.scene else self.template.photos if self.template else None

    def draw(self, request: DrawRequest) -> Composition:
        """One pair. Raises Undrawable where a text does not fit, or the operation cannot be done to it."""
        if self.template and request.rng.random() < self.strategy.templated:
            return self._designed(request, self.template)
        rng, size = request.rng, request.canvas()
        operation = choose_key(rng, self.strategy.operations)
        if operation == "restyle":  # an effect wants large type
            request = replace(request, layout=request.layout.at_least(request.context.effects.min_size))
        photographed = self.scene is not None and rng.random() < self.strategy.photographed
        scene = self.scene if photographed and operation not in _PLAIN_ONLY else None
        count = 1 if scene or request.alone else int(rng.integers(self.strategy.texts[0], self.strategy.texts[1] + 1))
        texts = _different_texts(request, operation, count)
        canvas = photo_canvas(request, scene, size, texts[0]) if scene else plain_canvas(request, size, len(texts))
        align = choose_key(rng, request.layout.align)  # of all: one off the others' axis looks like a mistake
        if count == 1 and not texts[0].wrap and request.layout.align.get("center"):
            align = "center"  # alone at an edge it looks like a mistake, too
        areas = zip(canvas.areas, texts, strict=True)
        placed: list[PlacedText] = []
        for area, text in areas:
            placed.append(place_text(request, canvas, area, text, align, placed))
        chosen = int(rng.integers(len(placed)))
        edited = apply(Edit(operation, request, canvas, placed, placed[chosen]))
        source, target = Drawing(canvas.canvas, edited.before), Drawing(canvas.canvas, edited.after)
        image = paint(target)
        if canvas.backdrop:
            visible = source if operation == "remove" else target
            check_visible(visible, *paint_twice(visible))
        new = [edited.new] if edited.new else []
        return Composition(
            texts[chosen],
            tuple(dict.fromkeys(text.font for text in (*placed, *new))),
            target,
            image,
            edited.ground,
            canvas.medium,
            backdrop=canvas.backdrop,
            source=source,
            change=edited.change,
            instruction_language=choose_key(rng, self.strategy.languages),
        )

    def _designed(self, request: DrawRequest, drawer: TemplateDrawer) -> Composition:
        """A pair made from a template."""
        operation = choose_key(request.rng, self.strategy.on_templates)
        pair = template_pair(request, drawer, operation)
        canvas, edited = pair.sheet.canvas, pair.edited
        return Composition(
            pair.text,
            pair.sheet.fonts,
            Drawing(canvas, edited.after),
            ground=edited.ground,
            medium=pair.family,
            pictures=tuple(pair.sheet.pictures),
            source=Drawing(canvas, edited.before),
            change=edited.change,
            instruction_language=choose_key(request.rng, self.strategy.languages),
        )

    def identity(self) -> dict[str, Any]:
        plain = to_first_names(self.strategy)
        scene = {"scene": self.scene.identity()} if self.scene else {}
        return plain | scene | ({"template": self.template.identity()} if self.template else {})


def _different_texts(request: DrawRequest, operation: Operation, count: int) -> list[Text]:
    """``count`` different texts; for a translation such as are known in both languages. Raises Undrawable."""
    found: dict[str, Text] = {}
    for _ in range(_TRIES):
        text = request.other_text(beside=list(found.values()))
        if operation == "translate" and not text.counterpart:
            text = _translatable(request)
        if text.counterpart not in found:  # else its translation would stand beside it already
            found.setdefault(text.text, text)
        if len(found) == count:
            return sorted(found.values(), key=lambda each: each.order)
    raise Undrawable("not enough different texts came up")


def _translatable(request: DrawRequest) -> Text:
    pair, side = pairs()[int(request.rng.integers(len(pairs())))], int(request.rng.integers(2))
    return Text(pair[side], language_of(pair[side]), "line", "pairs", counterpart=pair[1 - side])
