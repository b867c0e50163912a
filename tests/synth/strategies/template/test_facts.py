"""What the families say agrees: sums, dates, order; three layouts each; every aspect ratio; captions that quote all or say so."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from configs import UserError
from synth import Recipe
from synth.caption.phrases import phrases
from synth.drawing import regions
from synth.errors import Undrawable
from synth.sizes import ASPECTS, sizes
from synth.strategies.base import Composition
from synth.strategies.template.chart import nice_step, whole_shares
from synth.strategies.template.facts import Day, Month, Rows, draw_facts, told
from synth.strategies.template.formula import evaluate
from synth.strategies.template.nodes import Group, Node, TextNode
from synth.strategies.template.render import render
from synth.strategies.template.strategy import FOLDER, TemplateDrawer
from tests.synth.common import recipe

TEMPLATE = "configs/synth/template.yaml"
FAMILIES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def drawer(family: str) -> tuple[Recipe, TemplateDrawer]:
    made = recipe(TEMPLATE, f"strategy.families={{{family}: 1}}")
    return made, made.drawer


@cache
def drawn(family: str, seed: int, canvas: tuple[int, int] = (640, 640), language: str = "en") -> Composition:
    """A picture of the family; another seed where a text does not fit, as a recipe goes on."""
    made, templates = drawer(family)
    for attempt in range(30):
        rng = np.random.default_rng([seed, attempt])
        try:
            return render(made.context, family, templates.templates[family][0], canvas, language, rng, templates.photos)
        except Undrawable:
            continue
    raise AssertionError(f"{family} cannot be drawn on {canvas}")


def said(composition: Composition, role: str) -> list[str]:
    return [layer.block.text.replace("\n", " ") for layer in composition.drawing.texts if layer.role == role]


def number(text: str) -> float:
    return float(re.sub(r"[^0-9.]", "", text))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_three_layouts_and_suits_all_nine_aspect_ratios(family: str) -> None:
    template = drawer(family)[1].templates[family][0]
    assert len(template.layouts) >= 3
    for width, height in ASPECTS:
        assert template.aspect[0] <= width / height <= template.aspect[1]
    orders = set()
    for root in template.layouts:
        orders.add(tuple(_roles(root)))
    assert len(orders) >= 3, "layouts differ in the order or the alignment of their roles"
    for seed, size in enumerate(sizes(640)):
        composition = drawn(family, seed, size, ("zh", "en")[seed % 2])
        w, h = size
        for layer in composition.drawing.texts:
            for region in regions.layer_regions(layer):
                assert min(region.quad) >= 0
                assert max(region.quad[::2]) <= w
                assert max(region.quad[1::2]) <= h


def _roles(node: Node) -> list[tuple[str, ...]]:
    """Roles and alignments of the texts below a node, in reading order, with the direction of the groups around."""
    if isinstance(node, TextNode):
        return [(node.role or node.slot, node.align)]
    inner = getattr(node, "of", ())
    found = [text for child in (inner if isinstance(inner, tuple) else (inner,)) for text in _roles(child)]
    return [(node.kind,), *found] if isinstance(node, Group) else found


@pytest.mark.parametrize("family", FAMILIES)
def test_roles_have_names_in_both_languages(family: str) -> None:
    names = phrases("role", "zh")
    for seed in range(3):
        for layer in drawn(family, seed, language="zh").drawing.texts:
            assert layer.role in names, layer.role


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_receipt_adds_up_and_gives_change(language: str) -> None:
    for seed in range(24):
        made = drawn("receipt", seed, (512, 800), language)
        prices = [number(text) for text in said(made, "price")]
        (total,) = map(number, said(made, "total"))
        tax = sum(map(number, said(made, "tax")))
        rates = [int(t.split()[-1].rstrip("%")) for t in said(made, "label") if t.startswith("Tax")]
        assert len(prices) >= 3
        if tax:
            assert tax == pytest.approx(round(sum(prices) * rates[0]) / 100, abs=0.0101)
        assert total == pytest.approx(sum(prices) + tax, abs=0.005)
        if paid := said(made, "price_paid"):
            assert number(paid[0]) - total == pytest.approx(number(said(made, "change")[0]), abs=0.005)


def test_a_table_adds_up() -> None:
    for seed in range(12):
        made = drawn("table", seed)
        cells = said(made, "cell")
        if totals := said(made, "total"):
            amounts = [number(cell) for cell in cells if re.fullmatch(r"[\d,]+", cell)]
            assert sum(amounts) == number(totals[0])
            shares = [number(cell) for cell in cells if cell.endswith("%")]
            assert sum(shares) == pytest.approx(100, abs=0.051 * len(shares))


def test_a_calendar_is_that_months() -> None:
    names = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October"]
    names += ["November", "December"]
    for seed in range(12):
        made = drawn("calendar", seed)
        words = " ".join(said(made, "title") + said(made, "year")).split()
        year, month = int(next(w for w in words if w.isdigit())), names.index(next(w for w in words if w in names)) + 1
        days = [layer for layer in made.drawing.texts if layer.role == "day"]
        heads = [layer for layer in made.drawing.texts if layer.role == "weekday"]
        assert len(days) == (date(year + month // 12, month % 12 + 1, 1) - date(year, month, 1)).days
        for layer in days:
            day = date(year, month, int(layer.block.text))
            nearest = min(heads, key=lambda head: abs(_middle(head) - _middle(layer)))
            assert day.strftime("%a") == nearest.block.text


def _middle(layer) -> float:
    return float(layer.matrix[0, 2]) + (layer.block.box[0] + layer.block.box[2]) / 2


def test_dates_have_their_own_weekdays() -> None:
    seen = 0
    for seed in range(12):
        for family in ("newspaper", "ticket", "invitation"):
            for text in said(drawn(family, seed), "date"):
                found = re.fullmatch(r"(\w+day), (\w+) (\d+), (\d{4})", text)
                if found:
                    seen += 1
                    months = {date(2024, m, 1).strftime("%B"): m for m in range(1, 13)}
                    assert date(int(found[4]), months[found[2]], int(found[3])).strftime("%A") == found[1]
    assert seen >= 5


def test_a_train_arrives_when_it_has_left_for_as_long_as_it_takes() -> None:
    seen = 0
    for seed in range(15):
        made = drawn("ticket", seed)
        if left := said(made, "departure"):
            seen += 1
            first, last = (int(t[:2]) * 60 + int(t[3:]) for t in (left[0], said(made, "arrival")[0]))
            assert last - first == number(said(made, "duration")[0])
    assert seen


def test_a_sale_takes_off_what_it_says() -> None:
    for seed in range(12):
        made = drawn("sale_poster", seed)
        cut = number(said(made, "offer")[0].split("%")[0])
        for now, was in zip(said(made, "price"), said(made, "old_price"), strict=True):
            assert number(now) == pytest.approx(number(was) * (100 - cut) / 100, abs=0.005)


def test_road_signs_are_sorted_and_their_arrows_follow_the_places() -> None:
    for seed in range(12):
        distances = [number(text) for text in said(drawn("road_sign", seed), "distance")]
        assert all(a < b for a, b in pairwise(distances))


def test_a_chat_answers_in_the_order_of_its_file() -> None:
    for seed in range(8):
        made = drawn("chat", seed)
        rows = drawer("chat")[1].templates["chat"][0].facts["chat"].rows
        whole = next(r for r in rows if r[0].startswith(said(made, "title")[0]))
        texts = [turn[1].split(" | ")[0] for turn in whole[2]]
        shown = said(made, "message")
        assert shown == texts[: len(shown)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_captions_quote_all_texts_or_say_that_they_do_not(language: str) -> None:
    partly = ("excerpt", "among", "节选", "其他文字")
    for index in range(40):
        sample = recipe(TEMPLATE, f"captions.languages={{{language}: 1}}").render(index)
        caption = sample.captions[0].text
        if any(mark in caption for mark in partly):
            continue
        plain = re.sub(r"\s", "", caption)
        for line in sample.text.split("\n"):
            assert re.sub(r"\s", "", line) in plain, (line, caption)


def test_facts_are_drawn_in_order_and_may_use_each_other() -> None:
    facts = {
        "goods": Rows(
            "rows",
            ("name", "price"),
            (("Tea | 茶", "2..4/0.5"), ("Milk | 牛奶", 3), ("Rice | 米", "1..2 | 10..20")),
            count=(2, 3),
            more={"amount": "= 2 * price"},
            sort="price",
        ),
        "total": "= sum(goods.amount)",
        "day": Day("date", "2024-02-28", "2024-03-02", (3,)),
        "later": "= later(day, 1)",
        "month": Month("month", (2024, 2024)),
    }
    for seed in range(20):
        values = draw_facts(facts, "zh", np.random.default_rng(seed))
        prices = [good["price"] for good in values["goods"]]
        assert prices == sorted(prices)
        assert values["total"] == pytest.approx(2 * sum(prices))
        assert told("{later:iso}", values, "zh") == "2024-03-01"
        assert told("{day:weekday} {total:money}", values, "zh").startswith("星期四 ¥")
        assert all(10 <= good["price"] <= 20 for good in values["goods"] if good["name"] == "米")
        assert len(values["month"]["weeks"][0]["days"]) == 7
    name = told("{goods.name}", {"goods": {"name": values["goods"][0]["name"]}}, "zh")
    assert told("{name:en}", {"name": values["goods"][0]["name"]}, "zh") in ("Tea", "Milk", "Rice")
    assert name in ("茶", "牛奶", "米")


@pytest.mark.parametrize("formula", ["__import__('os')", "missing", "a.b", "1 if", "[1]", "open('x')", "a ** 2"])
def test_formulas_do_arithmetic_and_nothing_else(formula: str) -> None:
    with pytest.raises(ValueError, match="cannot be worked out"):
        evaluate(formula, {"a": 1})


def test_axes_have_round_steps_and_shares_sum_to_a_hundred() -> None:
    for largest in (3, 7, 18, 49, 120, 999):
        assert 4 <= largest / nice_step(largest) <= 10
    for seed in range(50):
        assert sum(whole_shares(np.random.default_rng(seed).uniform(1, 9, 7))) == 100


def test_a_missing_fact_is_one_line(tmp_path) -> None:
    (tmp_path / "own.yaml").write_text(
        "names: {en: a, zh: b}\npalettes: [{ground: white, text: black}]\n"
        "layouts: [{kind: column, of: [{kind: text, say: 'Total {sum_of:money}'}]}]\n"
    )
    with pytest.raises(UserError, match="template 'own': the formula 'sum_of' cannot be worked out"):
        Recipe.load(TEMPLATE, [f"strategy.files=[{tmp_path}/own.yaml]", "strategy.families={own: 1}"])
