"""Things that carry text in a scene: a sheet of paper, a board, a sign, a screen. Drawn flat, then set into perspective.

    Medium.draw(w, h, rng) ──> Carrier: layers in 0..w x 0..h px, the box that text may use, colors that fit

Everything that a recipe or a caption needs to know of a medium stands on the ``Medium``, so one of your own joins a
recipe by package.module:NAME beside those of ``MEDIA``. Shapes, colors and proportions are chosen.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import lru_cache

import numpy as np

from synth.drawing.colors import PALETTE, RGB, Color
from synth.drawing.layers import PictureLayer, ShapeLayer
from synth.drawing.textures import SIDE, Surface, tile
from synth.geometry import Box, Matrix
from synth.strategies.scene import fronts, things
from synth.strategies.scene.carrier import DARK_INKS, LIGHT_INKS, Carrier, Medium, any_color


def placed(layer: ShapeLayer | PictureLayer, matrix: Matrix) -> ShapeLayer | PictureLayer:
    """The layer with the carrier's perspective behind its own."""
    if isinstance(layer, PictureLayer) and layer.bend:
        return replace(layer, bend=layer.bend.under(matrix))
    return replace(layer, matrix=matrix @ layer.matrix)


def _panel(w: float, h: float, color: Color, radius: float = 0.0, to: RGB | None = None) -> ShapeLayer:
    return ShapeLayer("rect", (0, 0, w, h), fill=color.rgb, radius=radius, to=to)


def _texture(kind: Surface, w: float, h: float, rng: np.random.Generator, multiply: bool = False) -> PictureLayer:
    scale = np.diag([w / SIDE, h / SIDE, 1.0])
    return PictureLayer(tile(kind, int(rng.integers(64))), scale, blend="multiply" if multiply else "normal")


def _grain(texture: PictureLayer) -> tuple[RGB, RGB]:
    """The dark and the light parts of a texture."""
    cells = texture.pixels[::8, ::8].reshape(-1, 3)
    order = np.argsort(cells.sum(axis=1))
    (a, b, c), (d, e, f) = (cells[order[int(q * (len(order) - 1))]].tolist() for q in (0.05, 0.95))
    return (a, b, c), (d, e, f)


def _inset(w: float, h: float, fraction: float) -> Box:
    edge = fraction * min(w, h)
    return (edge, edge, w - edge, h - edge)


def _sheet(w: float, h: float, rng: np.random.Generator) -> Carrier:
    color = any_color(rng, ("white", "white", "beige"))
    layers = (_panel(w, h, color), _texture("paper", w, h, rng, multiply=True))
    return Carrier(layers, _inset(w, h, 0.09), (color,), DARK_INKS, 0.025 * min(w, h))


def _note(w: float, h: float, rng: np.random.Generator) -> Carrier:
    color = any_color(rng, ("yellow", "pink", "light green", "light blue", "orange"))
    darker = tuple(int(v * 0.9) for v in color.rgb)
    layers = (_panel(w, h, color, to=(darker[0], darker[1], darker[2])), _texture("paper", w, h, rng, multiply=True))
    return Carrier(
        layers,
        _inset(w, h, 0.11),
        (color,),
        ("black", "dark blue", "dark red", "dark green"),
        0.04 * min(w, h),
        shades=((darker[0], darker[1], darker[2]),),
    )


def _board(w: float, h: float, rng: np.random.Generator) -> Carrier:
    texture = _texture("wood", w, h, rng)
    mean = texture.pixels.reshape(-1, 3).mean(axis=0)
    ground = Color("brown", "棕色", (int(mean[0]), int(mean[1]), int(mean[2])))
    edge = ShapeLayer("rect", (0, 0, w, h), stroke=(60, 38, 20), width=0.02 * min(w, h))
    inks = ("white", "light yellow", "beige") if mean.mean() < 125 else ("black", "dark red", "dark blue", "dark green")
    shades = _grain(texture)
    return Carrier((texture, edge), _inset(w, h, 0.1), (ground,), inks, 0.03 * min(w, h), shades=shades)


def _chalkboard(w: float, h: float, rng: np.random.Generator) -> Carrier:
    texture = _texture("slate", w, h, rng)
    mean = texture.pixels.reshape(-1, 3).mean(axis=0)
    green = mean[1] > mean[0] + 12
    name = PALETTE["dark green" if green else "dark gray"]
    ground = Color(name.en, name.zh, (int(mean[0]), int(mean[1]), int(mean[2])))
    edge = 0.035 * min(w, h)
    frame = ShapeLayer("rect", (edge / 2, edge / 2, w - edge / 2, h - edge / 2), stroke=(150, 104, 58), width=edge)
    return Carrier(
        (texture, frame),
        _inset(w, h, 0.12),
        (ground,),
        ("white", "light yellow", "pink", "light blue"),
        0.03 * min(w, h),
        shades=_grain(texture),
    )


def _sign(w: float, h: float, rng: np.random.Generator) -> Carrier:
    color = any_color(
        rng, ("red", "dark red", "dark blue", "dark green", "black", "brown", "purple", "white", "yellow")
    )
    dark = sum(color.rgb) < 380
    trim = any_color(rng, ("yellow", "white", "beige") if dark else ("dark red", "black", "dark blue"))
    edge = 0.03 * min(w, h)
    darker = tuple(int(v * 0.8) for v in color.rgb)
    panel = _panel(w, h, color, radius=0.06 * h, to=(darker[0], darker[1], darker[2]))
    rim = ShapeLayer(
        "rect", (1.6 * edge, 1.6 * edge, w - 1.6 * edge, h - 1.6 * edge), stroke=trim.rgb, width=edge, radius=0.04 * h
    )
    return Carrier(
        (panel, rim),
        _inset(w, h, 0.14),
        (color,),
        LIGHT_INKS if dark else DARK_INKS,
        0.03 * min(w, h),
        radius=0.06 * h,
        shades=((darker[0], darker[1], darker[2]),),
    )


def _street(w: float, h: float, rng: np.random.Generator) -> Carrier:
    color = any_color(rng, ("blue", "dark green", "dark blue", "green"))
    edge = 0.03 * h
    rim = ShapeLayer(
        "rect",
        (1.5 * edge, 1.5 * edge, w - 1.5 * edge, h - 1.5 * edge),
        stroke=(255, 255, 255),
        width=edge,
        radius=0.1 * h,
    )
    return Carrier(
        (_panel(w, h, color, radius=0.14 * h), rim), _inset(w, h, 0.16), (color,), ("white",), 0.02 * h, radius=0.14 * h
    )


def _screen(w: float, h: float, rng: np.random.Generator) -> Carrier:
    color = any_color(rng, ("white", "light gray", "dark blue", "black", "light blue"))
    edge = 0.045 * min(w, h)
    bezel = ShapeLayer("rect", (0, 0, w, h), fill=(22, 22, 24), radius=edge)
    panel = ShapeLayer("rect", (edge, edge, w - edge, h - edge), fill=color.rgb)
    glare = ShapeLayer(
        "polygon",
        (0.55 * w, edge, 0.8 * w, edge, 0.5 * w, h - edge, 0.25 * w, h - edge),
        fill=(255, 255, 255),
        alpha=0.05,
    )
    dark = sum(color.rgb) < 380
    return Carrier(
        (bezel, panel, glare),
        _inset(w, h, 0.12),
        (color,),
        LIGHT_INKS if dark else DARK_INKS,
        0.03 * min(w, h),
        lit=False,
        radius=edge,
    )


def _poster(w: float, h: float, rng: np.random.Generator) -> Carrier:
    color = any_color(
        rng, ("red", "yellow", "light blue", "dark blue", "pink", "orange", "white", "light green", "purple")
    )
    dark = sum(color.rgb) < 400
    accent = any_color(rng, LIGHT_INKS if dark else DARK_INKS)
    band = 0.06 * h
    layers: list[ShapeLayer | PictureLayer] = [_panel(w, h, color)]
    if rng.random() < 0.6:
        layers += [
            ShapeLayer("rect", (0, 0, w, band), fill=accent.rgb),
            ShapeLayer("rect", (0, h - band, w, h), fill=accent.rgb),
        ]
    else:
        layers.append(
            ShapeLayer("rect", (0.04 * w, 0.04 * w, w - 0.04 * w, h - 0.04 * w), stroke=accent.rgb, width=0.012 * w)
        )
    layers.append(_texture("paper", w, h, rng, multiply=True))
    return Carrier(
        tuple(layers),
        (0.1 * w, 0.12 * h, 0.9 * w, 0.88 * h),
        (color,),
        LIGHT_INKS if dark else DARK_INKS,
        0.012 * min(w, h),
    )


def _banner(w: float, h: float, rng: np.random.Generator) -> Carrier:
    color = any_color(rng, ("red", "dark red", "blue", "yellow", "green", "orange"))
    dark = sum(color.rgb) < 380
    inks = ("white", "yellow", "light yellow") if dark else ("black", "dark red", "dark blue")
    folds = [
        ShapeLayer("rect", (x * w - 0.02 * w, 0, x * w + 0.02 * w, h), fill=(0, 0, 0), alpha=0.06, blur=0.02 * w)
        for x in rng.uniform(0.1, 0.9, size=3)
    ]
    return Carrier((_panel(w, h, color), *folds), _inset(w, h, 0.14), (color,), inks, 0.04 * h)


def _cardboard(w: float, h: float, rng: np.random.Generator) -> Carrier:
    texture = _texture("cardboard", w, h, rng)
    mean = texture.pixels.reshape(-1, 3).mean(axis=0)
    ground = Color("brown", "棕色", (int(mean[0]), int(mean[1]), int(mean[2])))
    inks = ("black", "dark red", "dark blue", "dark green")
    return Carrier((texture,), _inset(w, h, 0.1), (ground,), inks, 0.03 * min(w, h), shades=_grain(texture))


_SHOPS = (
    *("cafe", "bakery", "bookshop", "pharmacy", "restaurant", "noodle_house", "tea_house", "flower_shop"),
    *("hairdresser", "laundry", "bicycle_shop", "supermarket", "pet_shop", "farm_shop", "post_office"),
    *("tourist_office", "art_studio"),
)
"""Places that have a shop front with an awning."""
MEDIA: dict[str, Medium] = {
    medium.en: medium
    for medium in (
        Medium(
            *("sheet of paper", "一张纸", "written", "写着", "", (0.68, 1.4), _sheet),
            says=("say", "hours", "notice", "way", "number", "phrase"),
            handwritten=True,
            held=("lying", "wall"),
        ),
        Medium(
            *("sticky note", "便利贴", "written", "写着", "一张", (0.9, 1.1), _note),
            says=("say", "hours", "notice", "number", "phrase"),
            handwritten=True,
            held=("lying",),
        ),
        Medium(
            *("wooden board", "木板", "painted", "漆着", "一块", (1.2, 2.6), _board),
            says=("name", "offer", "hours", "way", "notice"),
            held=("hung", "post", "front", "wall"),
            most=24,
        ),
        Medium(
            *("chalkboard", "黑板", "lettered", "写着", "一块", (1.1, 1.8), _chalkboard),
            says=("offer", "hours", "say", "way", "notice"),
            handwritten=True,
            hand=("chalked", "用粉笔写着"),
            held=("hung", "table", "wall", "desk"),
            foot="legs",
        ),
        Medium(
            *("shop sign", "店铺招牌", "painted", "写着", "一块", (2.0, 4.5), _sign),
            says=("name",),
            held=("hung", "front"),
            most=10,
            centered=True,
        ),
        Medium(
            *("street sign", "路牌", "lettered", "标着", "一块", (1.8, 4.0), _street),
            says=("way", "notice"),
            held=("hung", "post", "front"),
            most=10,
            centered=True,
        ),
        Medium(
            *("screen", "屏幕", "displayed", "显示着", "一块", (1.2, 1.8), _screen),
            says=("offer", "hours", "notice", "say", "number"),
            held=("desk", "wall"),
            foot="stand",
        ),
        Medium(
            *("poster", "海报", "printed", "印着", "一张", (0.65, 0.8), _poster),
            says=("name", "say", "offer", "hours", "notice"),
            held=("hung", "post", "wall", "front"),
            most=40,
            centered=True,
        ),
        Medium(
            *("banner", "横幅", "printed", "印着", "一条", (3.0, 6.0), _banner),
            says=("name", "offer"),
            held=("hung", "roped", "front"),
            most=20,
            centered=True,
        ),
        Medium(
            *("cardboard sign", "纸板", "written", "写着", "一块", (1.0, 2.0), _cardboard),
            says=("offer", "hours", "notice", "way", "number", "phrase"),
            handwritten=True,
            held=("lying", "post", "wall"),
        ),
        Medium(
            *("billboard", "广告牌", "printed", "印着", "一块", (1.1, 1.5), fronts.billboard),
            says=("name", "offer"),
            held=("ground",),
            most=24,
            centered=True,
        ),
        Medium(
            *("storefront", "店面", "painted", "写着", "一家", (1.0, 1.4), fronts.storefront),
            says=("name",),
            places=_SHOPS,
            held=("ground",),
            most=10,
            centered=True,
        ),
        Medium(
            *("laptop", "笔记本电脑", "displayed", "显示着", "一台", (1.2, 1.35), fronts.laptop),
            says=("offer", "hours", "notice", "say"),
            held=("desk",),
        ),
        Medium(
            *("mug", "杯子", "printed", "印着", "一个", (1.1, 1.25), things.mug),
            says=("name", "word"),
            held=("table", "desk"),
            across=0.6,
            most=14,
            centered=True,
        ),
        Medium(
            *("tin can", "罐头", "printed", "印着", "一个", (0.68, 0.85), things.can),
            says=("tin",),
            held=("table", "desk"),
            across=0.75,
            most=16,
            centered=True,
        ),
        Medium(
            *("bottle", "瓶子", "printed", "印着", "一个", (0.4, 0.5), things.bottle),
            says=("bottle",),
            held=("table", "desk"),
            across=0.75,
            most=16,
            centered=True,
        ),
        Medium(
            *("T-shirt", "T恤", "printed", "印着", "一件", (0.92, 1.05), things.shirt),
            says=("name", "word"),
            held=("line",),
            across=0.46,
            most=16,
            centered=True,
        ),
        Medium(
            *("flag", "旗子", "printed", "印着", "一面", (0.85, 1.1), things.flag),
            says=("offer",),
            held=("ground",),
            most=14,
            centered=True,
        ),
        Medium(
            *("open notebook", "打开的笔记本", "written", "写着", "一本", (1.35, 1.6), things.notebook),
            says=("say", "word", "phrase"),
            handwritten=True,
            held=("lying",),
            across=0.4,
        ),
    )
}
"""The media that ship, by the key that a recipe's ``strategy.media`` uses."""


@lru_cache(maxsize=256)
def find_medium(key: str) -> Medium:
    """The medium of a key of ``strategy.media``: one of ``MEDIA``, or a ``Medium`` of your own by package.module:NAME.

    Raises ValueError saying what is wrong with the key.
    """
    if ":" not in key:
        if key not in MEDIA:
            known = ", ".join(("none", *MEDIA))
            raise ValueError(f"unknown '{key}'; allowed: {known}, or package.module:NAME of a Medium of your own")
        return MEDIA[key]
    module, _, name = key.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"'{key}' cannot be imported as package.module:NAME: {error}") from None
    if not isinstance(found, Medium):
        raise ValueError(f"'{key}' is no {Medium.__module__}.Medium, found a {type(found).__name__}")
    return found
