"""CONTRIBUTING.md, "A template", followed to the letter: a template of one's own beside the recipe."""

from __future__ import annotations

from pathlib import Path

from tests.recipes.synthesis import rows_of


def test_a_template_of_ones_own_is_laid_out(own_recipes: Path) -> None:
    for row in rows_of(own_recipes, "labels"):
        assert (row["strategy"], row["medium"]) == ("template", "shelf_label")
        product, price = (r for r in row["text_regions"] if r["level"] == "line")
        assert f"{product['text']}\n{price['text']}" == row["text"]
        assert price["text"].startswith(("¥", "$"))
        assert price["quad"][1] >= product["quad"][5]  # one below the other
        assert row["picture"].getpixel((2, 2)) in [(255, 255, 255), (255, 221, 36)]  # a ground of the palettes
        name = {"en": "shelf label", "zh": "货架标签"}[row["captions"][0]["language"]]
        assert name in row["captions"][0]["text"]
