"""What an edit pair is drawn on, and texts set into it.

plain_canvas, photo_canvas ──> EditCanvas with one Area for each text
place_text, place_text_like ──> PlacedText: a shaped text as a layer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from synth.content.base import Text
from synth.drawing.bend import Bend
from synth.drawing.colors import RGB, Color, Ground, pick, readable, shades_of
from synth.drawing.layers import Layer, Light, TextLayer
from synth.drawing.outlines import clear_size
from synth.drawing.regions import layer_regions
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.fonts.face import Face
from synth.fonts.source import FontFile
from synth.geometry import Box, Matrix, translation
from synth.photos import Backdrop
from synth.strategies.base import DrawRequest
from synth.strategies.context import ShapedText
from synth.strategies.ground import ground_layers
from synth.strategies.scene.lighting import bend_for, light_for
from synth.strategies.scene.places import find_place, suited
from synth.strategies.scene.scene import LEAST, SceneDrawer
from synth.typeset.layout import LayoutConfig
from synth.typeset.sense import check_whole
from synth.typeset.setting import Align, Setting, pick_setting
from synth.typeset.shaped import Shaped

_COLORS = 2  # chosen: of the texts of one canvas
_BAND = 1.7  # chosen: how much larger, to the height of its band, the type of one of several texts is


@dataclass(frozen=True, eq=False)
class Area:
    """A place for one text: a box of ``size`` px and what takes it to the canvas."""

    size: tuple[int, int]
    matrix: Matrix


@dataclass(frozen=True, eq=False)
class EditCanvas:
    """What a pair is drawn on. ``colors`` may be used for text. ``ground`` is None on a photograph without a medium."""

    canvas: tuple[int, int]
    behind: tuple[Layer, ...]
    areas: tuple[Area, ...]
    colors: tuple[Color, ...]
    ground: Ground | None
    shades: tuple[RGB, ...]  # what the ground shows, as it is lit
    medium: str | None = None
    backdrop: Backdrop | None = None
    light: Light | None = None
    bend: Bend | None = None


@dataclass(frozen=True, eq=False)
class PlacedText:
    """A text set into an area."""

    shaped_text: ShapedText
    layer: TextLayer
    area: Area
    setting: Setting

    @property
    def text(self) -> str:
        """The characters, as an instruction quotes them."""
        return self.shaped_text.text.text

    @property
    def font(self) -> FontFile:
        return self.shaped_text.font

    def box(self) -> Box:
        """The box around its lines on the canvas, px."""
        quads = [region.quad for region in layer_regions(self.layer) if region.level == "line"]
        return (
            min(min(q[::2]) for q in quads),
            min(min(q[1::2]) for q in quads),
            max(max(q[::2]) for q in quads),
            max(max(q[1::2]) for q in quads),
        )


def plain_canvas(request: DrawRequest, canvas: tuple[int, int], count: int) -> EditCanvas:
    """A clean ground in bands, one for each of ``count`` texts."""
    w, h = canvas
    margin = 0.05 * min(w, h)
    height = (h - 2 * margin) / count
    size = (int(w - 2 * margin), int(height * (0.86 if count > 1 else 1.0)))
    areas = tuple(Area(size, translation(margin, margin + k * height)) for k in range(count))
    ground, _ = pick(request.context.colors, request.rng)
    behind = ground_layers(ground, canvas, request.rng)
    return EditCanvas(
        canvas, behind, areas, tuple(readable(request.context.colors, ground)), ground, shades_of(ground.colors)
    )


def photo_canvas(request: DrawRequest, scene: SceneDrawer, canvas: tuple[int, int], text: Text) -> EditCanvas:
    """A photograph with an area that suits the text. Raises Undrawable where it has none."""
    backdrop = suited(scene.strategy, scene.photos, canvas, text, request.rng)
    shaped_text = request.context.shape(text, _horizontal(request.layout), request.rng)
    place = find_place(scene.strategy, backdrop, shaped_text, request.rng)
    return EditCanvas(
        backdrop.canvas,
        (*place.stage.layers, *place.behind),
        (Area(place.size, place.matrix),),
        place.colors,
        Ground(place.ground) if place.ground else None,
        place.shades,
        place.medium,
        backdrop,
        place.light,
        place.bend,
    )


def place_text(
    request: DrawRequest, canvas: EditCanvas, area: Area, text: Text, align: Align, beside: Sequence[PlacedText] = ()
) -> PlacedText:
    """A text in a style of its own; ``beside`` others in the first one's font, not larger, and plain, of at most two colors
    with them. Raises Undrawable where it does not fit its area."""
    context, rng = request.context, request.rng
    layout = replace(_horizontal(request.layout), align={align: 1.0}).at_least(LEAST * min(canvas.canvas))
    if canvas.backdrop:  # as large as the thing has room for
        layout = replace(layout, relative=None)
    elif layout.relative and len(canvas.areas) > 1:  # of a band, not of the canvas
        low, high = layout.relative
        layout = replace(layout, relative=(min(_BAND * low, 1.0), min(_BAND * high, 1.0)))
    setting, colors = pick_setting(layout, area.size, rng), canvas.colors
    if beside:
        shaped_text = context.shape_beside(text, beside[0].shaped_text, rng)
        setting = replace(setting, cap=min(setting.cap, beside[0].layer.block.size))
        used = {placed.layer.style.color.en: placed.layer.style.color for placed in beside}
        colors = tuple(used.values()) if len(used) >= _COLORS else colors
    else:
        shaped_text = context.shape(text, layout, rng)
    if canvas.medium:
        shaped_text = shaped_text.broken_for(area.size)
    block, matrix = context.arrange(shaped_text, area.size, layout, rng, setting)
    check_whole(shaped_text.shaped, block, area.size[0])
    if block.size < clear_size(block):
        raise Undrawable("too small for its strokes")
    color = colors[int(rng.integers(len(colors)))]
    style = TextStyle(color) if beside else context.style(block, color, canvas.shades, rng)
    light, bend = light_for(canvas.light, style.named), bend_for(canvas.bend, style.named)
    layer = TextLayer(block, style, area.matrix @ matrix, light=light, bend=bend, one_word=shaped_text.one)
    return PlacedText(shaped_text, layer, area, setting)


def place_text_like(request: DrawRequest, old: PlacedText, text: Text, font: FontFile, face: Face) -> PlacedText:
    """A text in the area, size, setting and style of ``old``. Raises Undrawable where it does not fit."""
    size = old.layer.block.size
    shaped_text = ShapedText(text, font, Shaped(face, text.text, text.tag), broken=old.shaped_text.broken)
    layout = replace(_horizontal(request.layout), size=(size, size))
    block, matrix = request.context.arrange(shaped_text, old.area.size, layout, request.rng, old.setting)
    check_whole(shaped_text.shaped, block, old.area.size[0])
    layer = replace(old.layer, block=block, matrix=old.area.matrix @ matrix, one_word=shaped_text.one)
    return PlacedText(shaped_text, layer, old.area, old.setting)


def _horizontal(layout: LayoutConfig) -> LayoutConfig:
    return replace(layout, directions={"horizontal": 1.0})
