"""Dense pages: everything that was written is on them, apart, in order, boxed; captions say that they give an excerpt."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from synth.caption.facts import facts_of
from synth.corpus import subjects
from synth.drawing import regions
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn, ink

FONTS = "fonts=[{package: manimgx_fonts_cjk, file: NotoSansCJK-VF.otf.ttc, face: 2, wght: [400, 700]}]"
EXTRAS = "extras: {item: 1, table: 1, formula: 1, code: 1, note: 1}"
KINDS = frozenset({"item", "table", "formula", "code", "note"})


def made(language: str, low: int, high: int, canvas: str = "[1024, 1024]"):
    content = f"contents=[{{kind: dense, characters: [{low}, {high}], languages: {{{language}: 1}}, {EXTRAS}}}]"
    return recipe("configs/synth/dense.yaml", FONTS, content, f"canvases=[{{size: {canvas}}}]", "attempts=300")


def visible(text: str) -> Counter[str]:
    return Counter(c for c in text if not c.isspace())


@pytest.mark.parametrize(
    ("language", "low", "high"), [("en", 500, 900), ("zh", 500, 900), ("en", 2000, 3000), ("zh", 2000, 3000)]
)
def test_a_page_holds_what_was_written_and_a_box_for_each_character(language: str, low: int, high: int) -> None:
    for index in range(2):
        sample = made(language, low, high).render(index)
        count = sum(not c.isspace() for c in sample.text)
        assert 0.7 * low <= count <= 1.6 * high
        glyphs = Counter("".join(r.text for r in sample.regions if r.level == "glyph"))
        assert glyphs == visible(sample.text)
        assert visible("".join(r.text for r in sample.regions if r.level == "line")) == glyphs
        quads = np.array([r.quad for r in sample.regions])
        assert quads.min() >= 0
        assert quads.max() <= 1024
        assert (sample.text_level, sample.text_language) == (4, language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_ink_lies_in_its_boxes_and_lines_lie_apart(language: str) -> None:
    drawing = drawn(made(language, 500, 900), 1).drawing
    boxes = []
    for layer in drawing.texts:
        mask = ink(drawing.canvas, layer)
        assert mask.any()
        for region in regions.layer_regions(layer):
            if region.level == "line":
                x, y = region.quad[::2], region.quad[1::2]
                mask[int(min(y)) : int(max(y)), int(min(x)) : int(max(x))] = False
                boxes.append((min(x), min(y), max(x), max(y)))
        assert not mask.any()
    for k, a in enumerate(boxes):
        for b in boxes[k + 1 :]:
            assert min(a[2], b[2]) - max(a[0], b[0]) <= 1 or min(a[3], b[3]) - max(a[1], b[1]) <= 2, (a, b)


def test_pages_have_headings_bold_and_italic_words_tables_code_formulas_and_notes() -> None:
    wanted, roles = {"heading", "body", "cell", "footnote", "formula", "code"}, set[str | None]()
    for index in range(120):  # code is of one subject among many
        drawing = drawn(made("en", 500, 900), index).drawing
        roles |= {layer.role for layer in drawing.texts}
        assert any(g.face for layer in drawing.texts for line in layer.block.lines for g in line.glyphs)
        if wanted <= roles:
            break
    assert wanted <= roles


@pytest.mark.parametrize(("columns", "canvas"), [("[1, 1]", "[1024, 1024]"), ("[2, 2]", "[1600, 600]")])
def test_a_page_has_no_more_columns_than_the_recipe_says(columns: str, canvas: str) -> None:
    content = f"contents=[{{kind: dense, characters: [600, 900], languages: {{zh: 1}}, columns: {columns}, {EXTRAS}}}]"
    pages = recipe("configs/synth/dense.yaml", FONTS, content, f"canvases=[{{size: {canvas}}}]", "attempts=300")
    for index in range(3):
        assert facts_of(drawn(pages, index)).columns <= int(columns[1])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_heading_is_the_last_of_its_column(language: str) -> None:
    headings = 0
    for index in range(12):
        layers = [
            t for t in drawn(made(language, 1000, 2500, "[1400, 1000]"), index).drawing.texts if t.role != "footnote"
        ]
        for number, layer in enumerate(layers):
            if layer.role == "heading":
                following = layers[number + 1]
                assert following.bounds()[1] > layer.bounds()[1], (index, layer.block.text)
                headings += 1
    assert headings > 20


def test_a_column_that_holds_a_table_alone_counts() -> None:
    for index in range(12):
        composition = drawn(made("en", 500, 900), index)
        lefts = [t.bounds()[0] for t in composition.drawing.texts if t.role in ("body", "cell", "code")]
        columns = facts_of(composition).columns
        assert (columns - 1) / columns - 0.05 < (max(lefts) - 51) / 922 < 1  # something stands in the last one


def test_captions_quote_the_beginning_and_say_so() -> None:
    for language in ("en", "zh"):
        sample = made(language, 2000, 3000).render(0)
        composition = drawn(made(language, 2000, 3000), 0)
        facts = facts_of(composition, 700)
        assert facts.excerpt
        assert len(facts.text) <= 700
        assert composition.text.text.startswith(facts.text)
        caption = sample.captions[0].text
        shown = [facts.title, facts.rest] if facts.text not in caption else [facts.text]
        assert all(text in caption for text in shown)
        assert len(sample.captions[0].text) < 900
        claims = ("begin", "excerpt", "first part", "opening", "开头", "节选", "前面一部分", "起首")
        assert any(claim in caption.replace(shown[-1], "") for claim in claims)
        assert not facts_of(composition).excerpt


def test_the_same_index_is_the_same_page() -> None:
    one = made("zh", 500, 900)
    assert one.render(3).encode() == one.render(3).encode()
    assert one.render(3).id != one.render(4).id


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_document_is_of_one_subject_after_the_other_and_repeats_nothing(language) -> None:
    for seed in range(10):
        document = subjects.write(language, 4000, KINDS, np.random.default_rng(seed))
        texts = [part.text for part in document.parts if part.kind == "paragraph"]
        assert len(texts) == len(set(texts))
        assert document.title
        assert all("{" not in t and "*" not in t and "_" not in t for t in (document.title, *texts))
        assert document.parts[0].kind == "paragraph"
        for number in range(len(document.notes)):
            assert sum(f"[{number + 1}]" in text for text in texts) == 1
        for part in document.parts:
            for start, end, _ in part.runs:
                assert part.text[start:end].strip()


def test_names_stay_the_same_over_a_subject() -> None:
    for seed in range(10):
        document = subjects.write("en", 1200, frozenset(), np.random.default_rng(seed))
        bold = {
            p.text[a:b] for p in document.parts for a, b, way in p.runs if way == "bold" and p.text[a:b] != "Compost"
        }
        assert all(name.split()[0] in " ".join([document.title, *(p.text for p in document.parts)]) for name in bold)
