"""Templates: nothing is cut, nothing overlaps, everything can be read; sums are right; wrong files are one line."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from configs import UserError
from synth import Recipe
from synth.caption.facts import facts_of
from synth.drawing import regions
from synth.drawing.colors import contrast
from synth.drawing.layers import PictureLayer, ShapeLayer, TextLayer
from synth.photo_list import listed as listed_photographs
from synth.strategies.template.slots import Filler, known, slots
from synth.strategies.template.strategy import FOLDER
from tests.synth.common import recipe
from tests.synth.test_geometry import alone, drawn, glyphs_of, ink, outside

TEMPLATE = "configs/synth/template.yaml"
FAMILIES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SIZES = "canvases=[{size: [256, 256]}, {size: [640, 640]}, {size: [800, 512]}, {size: [512, 800]}, {size: [448, 1024]}, {size: [1024, 448]}]"


def one(family: str, language: str = "zh") -> Recipe:
    return recipe(TEMPLATE, f"strategy.families={{{family}: 1}}", f"strategy.languages={{{language}: 1}}", SIZES)


def test_there_are_at_least_twenty_families_and_a_recipe_draws_them_all() -> None:
    assert len(FAMILIES) >= 20
    drawn_ = {recipe(TEMPLATE).render(index).medium for index in range(220)}
    assert drawn_ == set(FAMILIES)


def test_bubbles_are_as_wide_as_what_they_say() -> None:
    for index in range(6):
        composition = drawn(one("chat", ("zh", "en")[index % 2]), index)
        words = [layer for layer in composition.drawing.texts if layer.role == "message"]
        panels = [
            layer.points
            for layer in composition.drawing.layers
            if isinstance(layer, ShapeLayer) and layer.radius and layer.fill and layer.kind == "rect"
        ]
        assert words
        for layer in words:
            x0, y0, x1, y1 = layer.block.box
            left, top = layer.matrix[0, 2] + x0, layer.matrix[1, 2] + (y0 + y1) / 2
            around = min(
                (p for p in panels if p[0] <= left and p[2] >= left + x1 - x0 and p[1] <= top <= p[3]),
                key=lambda p: p[2] - p[0],
            )
            assert left - around[0] == pytest.approx(around[2] - left - (x1 - x0), abs=1.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_text_is_cut_overlaps_another_or_is_hard_to_read(family: str) -> None:
    seen = set()
    for index in range(12):  # a family has a few dozen pictures of one size, so some come twice
        language = ("zh", "en")[index % 2]
        composition = drawn(one(family, language), index)
        assert composition.text.language == language
        w, h = composition.drawing.canvas
        quads = []
        for layer in composition.drawing.texts:
            assert layer.block.size >= 8
            quads += [region.quad for region in regions.layer_regions(layer) if region.level == "line"]
        assert quads
        for quad in quads:
            assert 0 <= quad[0] < quad[4] <= w, (family, index)
            assert 0 <= quad[1] < quad[5] <= h, (family, index)
        for a, b in itertools.combinations(quads, 2):
            across, down = min(a[4], b[4]) - max(a[0], b[0]), min(a[5], b[5]) - max(a[1], b[1])
            lines_of_one = 0.15 * (a[5] - a[1])  # swashes may stroke_margin into the line below
            assert across <= 2 or down <= max(2, lines_of_one), (family, index, a, b)
        pixels = np.asarray(composition.image)
        for layer in composition.drawing.texts:
            mask = ink(composition.drawing.canvas, layer)
            ys, xs = np.nonzero(mask)
            around = pixels[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1][
                ~mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
            ]
            if not len(around):  # a lone stroke fills its box
                continue
            ground = np.median(around.reshape(-1, 3), axis=0)
            assert contrast(layer.style.color.rgb, tuple(int(v) for v in ground)) >= 4, (family, index, layer.role)
        seen.add(composition.image.tobytes())
    assert len(seen) >= 8


def test_ink_of_single_glyphs_stays_in_their_quads() -> None:
    for index in range(20):
        drawing = drawn(recipe(TEMPLATE), index).drawing
        for layer in drawing.texts[::4]:
            glyphs = [r for r in regions.layer_regions(layer) if r.level == "glyph"]
            for (row, column, _), region in list(zip(glyphs_of(layer), glyphs, strict=True))[::7]:
                mask = ink(drawing.canvas, alone(layer, row, column))
                assert mask.any()
                assert outside(mask, region.quad) == 0


def test_items_of_a_list_have_one_size_and_one_edge() -> None:
    for index in range(6):
        items = [t for t in drawn(one("table"), index).drawing.texts if t.role == "header"]
        assert len({round(t.matrix[1, 2] + (t.block.box[1] + t.block.box[3]) / 2) for t in items}) == 1
    for index in range(6):
        items = [t for t in drawn(one("receipt"), index).drawing.texts if t.role == "item"]
        assert len({round(t.block.size, 3) for t in items}) == 1
        assert len({round(t.matrix[0, 2] + t.block.box[0]) for t in items}) <= 2


def test_lines_of_code_have_one_size_whatever_their_color() -> None:
    for index in range(6):
        texts = drawn(one("code_editor"), index).drawing.texts
        lines = [t for t in texts if t.role in ("code", "comment", "line_number")]
        assert len({round(t.block.size, 3) for t in lines}) == 1


def test_a_bullet_stands_beside_the_first_line_of_its_text(tmp_path: Path) -> None:
    (tmp_path / "points.yaml").write_text(
        "names: {en: list, zh: 列表}\npalettes: [{ground: white, text: black, accent: red}]\nlayouts:\n"
        "  - {kind: row, pad: 8, gap: 3, of: [{kind: space, shape: ellipse, fill: accent, size: 4, bullet: true}, {kind: text, "
        "say: 'A point that is so long that it takes three lines of the page | 一条很长很长的要点，长得在这一页上要占去两三行才写得下', "
        "lines: 4, height: [8, 9]}]}\n"
    )
    for language in ("zh", "en"):
        made = Recipe.load(
            TEMPLATE,
            [
                f"strategy.files=[{tmp_path}]",
                "strategy.families={points: 1}",
                f"strategy.languages={{{language}: 1}}",
                SIZES,
            ],
        )
        drawing = drawn(made, 0).drawing
        (text,), (dot,) = (
            drawing.texts,
            [e for e in drawing.layers if isinstance(e, ShapeLayer) and e.kind == "ellipse"],
        )
        first, last = text.block.lines[0].box, text.block.lines[-1].box
        assert len(text.block.lines) > 1
        top, bottom = (text.matrix[1, 2] + y for y in (first[1], first[3]))
        assert top < (dot.points[1] + dot.points[3]) / 2 < bottom < text.matrix[1, 2] + last[3]


@pytest.mark.parametrize("size", [[512, 800], [800, 512], [640, 640]])
def test_a_balloon_has_a_tail_that_leaves_it_towards_its_figure(size: list[int]) -> None:
    found = 0
    for index in range(6):
        comic = recipe(TEMPLATE, "strategy.families={comic: 1}", f"canvases=[{{size: {size}}}]")
        shapes = [e for e in drawn(comic, index).drawing.layers if isinstance(e, ShapeLayer)]
        tails = [shape.points for shape in shapes if shape.kind == "polygon" and shape.stroke]
        assert len(tails) == 3
        for tail in tails:
            tip = tail[4:]
            balloons = [s.points for s in shapes if s.kind == "rect" and s.radius and _meets(s.points, tail[:2])]
            assert balloons
            assert not any(_meets(balloon, tip) for balloon in balloons)
            found += 1
    assert found == 18


def test_a_newspaper_is_full() -> None:
    for index in range(10):
        made = recipe(TEMPLATE, "strategy.families={newspaper: 1}", SIZES.replace("{size: [256, 256]}, ", ""))
        drawing = drawn(made, index).drawing
        lowest = max(region.quad[5] for layer in drawing.texts for region in regions.layer_regions(layer))
        pictures = [layer for layer in drawing.layers if isinstance(layer, PictureLayer)]
        assert pictures or lowest > 0.8 * drawing.canvas[1], (index, lowest, drawing.canvas)


def test_a_photograph_keeps_its_subject_and_is_of_what_the_poster_is_about() -> None:
    listed = {one.name: one for _, one in listed_photographs()}
    seen = set()
    for index in range(40):
        made = drawn(recipe(TEMPLATE, "strategy.families={poster: 1, book_cover: 1}", SIZES), index)
        for picture in made.pictures:
            assert picture.lost <= 0.08
            name = picture.id.removeprefix("photo:").partition("@")[0]
            if made.medium == "poster":
                seen.add(listed[name].theme)
    assert seen <= {"music", "city", "palace", "food", "art", "garden", "sky"}
    assert seen


def _meets(box: tuple[float, ...], point: tuple[float, ...]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def test_texts_of_a_row_stand_on_one_line() -> None:
    def baseline(layer: TextLayer) -> float:
        return layer.matrix[1, 2] + layer.block.lines[0].glyphs[0].y

    for index in range(8):
        texts = drawn(one("receipt"), index).drawing.texts
        items, prices = ([t for t in texts if t.role == role] for role in ("item", "price"))
        assert len(items) == len(prices) >= 3
        for item, price in zip(items, prices, strict=True):
            unlike = abs(item.block.size - price.block.size)
            assert baseline(item) == pytest.approx(baseline(price), abs=0.5 + 0.4 * unlike)


def test_a_caption_names_a_main_text_only_where_one_is_larger_than_all_others() -> None:
    claims = re.compile(r"main (line|text)|stands out|主要文字|醒目|突出")
    told = {True: 0, False: 0}
    for index in range(60):
        made = recipe(TEMPLATE, SIZES)
        facts, caption = facts_of(drawn(made, index)), made.render(index).captions[0].text
        sizes = sorted(layer.block.size for layer in drawn(made, index).drawing.texts)
        told[facts.stands_out] += 1
        if len(sizes) > 1 and sizes[-1] < 1.15 * sizes[-2]:
            assert not claims.search(caption.replace(facts.text, "")), (index, caption)
    assert min(told.values()) > 5


def test_pictures_show_the_recipes_photographs_and_name_them() -> None:
    samples = [recipe(TEMPLATE, "strategy.families={calendar: 1}", SIZES).render(index) for index in range(12)]
    with_pictures = [sample for sample in samples if sample.photographic]
    assert 0 < len(with_pictures) < 12  # one of the layouts has a picture
    for sample in with_pictures:
        assert sum(parent.startswith("photo:") for parent in sample.parents) == 1
        assert "CC" in sample.license or "public-domain" in sample.license
    plain = recipe(TEMPLATE, "strategy.families={calendar: 1}", "strategy.photos=[]", SIZES).render(0)
    assert not plain.photographic
    assert not any(parent.startswith("photo:") for parent in plain.parents)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_slot_has_words_and_words_name_only_known_slots(language: str) -> None:
    own, other = slots(language), slots("en" if language == "zh" else "zh")  # type: ignore[arg-type]
    assert own.keys() == other.keys()
    for slot, entries in own.items():
        assert entries, slot
        for entry in entries:
            assert all(known(part) for part in re.findall(r"\{(\w+)\}", entry)), entry
    filler = Filler(language, np.random.default_rng(0))  # type: ignore[arg-type]
    assert filler.fill("company") == filler.fill("company")
    assert filler.fill("dish") != filler.fill("dish")


def test_captions_name_the_family_and_quote_its_texts() -> None:
    for index in range(40):
        sample = recipe(TEMPLATE, "captions.languages={en: 1}").render(index)
        family = sample.medium
        assert family is not None
        caption = sample.captions[0].text
        lines = set(sample.text.split("\n"))
        assert any(line in caption.replace("\n", " ") for line in lines), caption
        for line in sorted(lines, key=len, reverse=True):  # code has brackets of its own
            caption = caption.replace(line.strip(), "")
        assert "{" not in caption
        assert "<" not in caption
        assert sample.strategy == "template"
        assert sample.text_level in (2, 3, 4)


def test_a_users_own_template_joins(tmp_path: Path) -> None:
    (tmp_path / "label.yaml").write_text(
        "names: {en: shelf label, zh: 货架标签}\n"
        "palettes: [{ground: white, text: black, muted: gray}]\n"
        "layouts:\n"
        "  - {kind: column, pad: 8, of: [{kind: text, slot: product, height: [8, 20]}, {kind: text, slot: price, height: [8, 20]}]}\n"
    )
    made = Recipe.load(TEMPLATE, [f"strategy.files=[{tmp_path}]", "strategy.families={label: 1}"])
    assert {made.render(index).medium for index in range(4)} == {"label"}
    assert made.digest != recipe(TEMPLATE).digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: {en: a, zh: b}\npalettes: [{ground: mauve}]\nlayouts: [{kind: space}]\n", "'ground' is 'mauve'"),
        ("names: {en: a}\npalettes: [{ground: white}]\nlayouts: [{kind: space}]\n", "names needs zh and en"),
        (
            "names: {en: a, zh: b}\npalettes: [{ground: white}]\nlayouts: [{kind: text, slot: wish}]\n",
            "slot 'wish' is none",
        ),
        (
            "names: {en: a, zh: b}\npalettes: [{ground: white}]\nlayouts: [{kind: text, slto: title}]\n",
            "unknown field 'layouts.0.slto'",
        ),
        ("names: {en: a, zh: b}\npalettes: [{ground: white, text: black}]\nlayouts: [{kind: space}]\n", "without text"),
        (
            "names: {en: a, zh: b}\npalettes: [{ground: white}]\nlayouts: [{kind: text, slot: title}]\n",
            "the color 'text' is missing",
        ),
        (
            "names: {en: a, zh: b}\npalettes: [{ground: white}]\nlayouts: [{kind: space, flex: -1}]\n",
            "flex must be at least 0, found -1",
        ),
        (
            "names: {en: a, zh: b}\npalettes: [{ground: white, text: black}]\n"
            "layouts: [{kind: text, slot: title, height: [20, 8]}]\n",
            "height must be [least, most] from 0 on, found [20, 8]",
        ),
        ("names: {en: a, zh: b}\npalettes: []\nlayouts: [{kind: space}]\n", "at least one entry each"),
        (
            "names: {en: a, zh: b}\naspect: [2, 1]\npalettes: [{ground: white}]\nlayouts: [{kind: space}]\n",
            "aspect must be [least, most] above 0",
        ),
        (
            "names: {en: a, zh: b}\nfaces: {body: {en: [sans]}}\npalettes: [{ground: white}]\nlayouts: [{kind: space}]\n",
            "faces that differ by language need zh and en",
        ),
        ("not: [valid", "not valid YAML"),
    ],
)
def test_wrong_templates_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        Recipe.load(TEMPLATE, [f"strategy.files=[{tmp_path}/own.yaml]", "strategy.families={own: 1}"])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("strategy.families={nothing: 1}", "no template 'nothing'; there are app_screen"),
        ("strategy.files=[nowhere]", "nowhere does not exist"),
        ("contents=[{kind: word}]", "templates bring their own"),
    ],
)
def test_wrong_recipes_are_one_line(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Recipe.load(TEMPLATE, [override])
