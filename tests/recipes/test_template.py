"""CONTRIBUTING.md, "A template", followed to the letter: a template of one's own beside the recipe."""

from __future__ import annotations

from pathlib import Path

from tests.recipes.contributing import block
from tests.recipes.synthesis import rendered, write

HEADING = "### A template"


def test_a_template_of_ones_own_is_laid_out(tmp_path: Path) -> None:
    write(tmp_path / "my_templates" / "shelf_label.yaml", block(HEADING, "yaml"))
    write(tmp_path / "labels.yaml", block(HEADING, "yaml", 1))
    for row in rendered(tmp_path, "labels.yaml"):
        assert (row["strategy"], row["medium"]) == ("template", "shelf_label")
        product, price = (r for r in row["text_regions"] if r["level"] == "line")
        assert f"{product['text']}\n{price['text']}" == row["text"]
        assert price["text"].startswith(("¥", "$"))
        assert price["quad"][1] >= product["quad"][5]  # one below the other
        assert row["picture"].getpixel((2, 2)) in [(255, 255, 255), (255, 221, 36)]  # a ground of the palettes
        name = {"en": "shelf label", "zh": "货架标签"}[row["captions"][0]["language"]]
        assert name in row["captions"][0]["text"]
