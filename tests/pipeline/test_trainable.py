"""What training asks about texts: how many are valid, how long, and which part of the picture they quote."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from configs.quotes import quotes
from pipeline import schema
from pipeline.trainable import quoted_box, trainable


def region(text: str, box: tuple[float, float, float, float], level: str = "line") -> dict[str, Any]:
    x0, y0, x1, y1 = box
    return {"text": text, "quad": [x0, y0, x1, y0, x1, y1, x0, y1], "level": level}


def text(words: str, tokens: int | None = 10, invalid: str | None = None) -> dict[str, Any]:
    return {"text": words, "tokens": tokens, "invalid": invalid}


REGIONS = [
    region("GRAND OPENING", (10.2, 20.7, 200.1, 40.3)),
    region("free  entry", (30, 60, 150.5, 80)),
    region("山水", (300, 5, 340, 50)),
]


@pytest.mark.parametrize(
    ("caption", "box"),
    [
        ('A poster that says "Grand Opening".', (10, 20, 201, 41)),
        ("海报上写着“grand opening free entry”。", (10, 20, 201, 80)),
        ("A poster. It says 'free entry' below.", (30, 60, 151, 80)),
        ("一幅「山水」画", (300, 5, 340, 50)),
        ('It says "open"', (10, 20, 201, 41)),  # a part of a line
        ('It says "e"', None),  # a letter that happens to be in lines
        ("It's grand opening day, isn't it", None),  # nothing is quoted
        ('"closed"', None),
    ],
)
def test_the_box_is_around_the_lines_that_are_quoted(caption: str, box: tuple[int, ...] | None) -> None:
    assert quoted_box([caption], REGIONS, (400, 100)) == box


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (['A sign: "OPEN"'], True),
        (["A sign.", "It says ‘open’"], True),
        (["It's grand opening day, isn't it"], False),
        (['A "  " sign'], False),
        ([], False),
    ],
)
def test_whether_a_text_quotes_anything(texts: list[str], expected: bool) -> None:
    assert quotes(texts) == expected


def test_lines_decide_where_there_are_any_and_boxes_stay_in_the_picture() -> None:
    glyph = region("G", (-5, 0, 9, 9), "glyph")
    assert quoted_box(['"G"'], [glyph, *REGIONS], (400, 100)) is None
    assert quoted_box(['"G"'], [glyph], (400, 100)) == (0, 0, 9, 9)


def test_answers_count_valid_texts_with_the_closing_tokens() -> None:
    arrow = schema.arrow(["captions", "instructions", "text_regions", "width", "height"])
    rows = [
        {"captions": [text('"free entry"', 7), text("long", 99, "S3.length")], "instructions": None},
        {"captions": None, "instructions": [text("把“山水”删去", None), text("x", 3, "S3.empty")]},
        {"captions": [], "instructions": []},
    ]
    table = pa.Table.from_pylist(
        [r | {"text_regions": REGIONS, "width": 400, "height": 100} for r in rows], schema=arrow
    )
    assert trainable(table).to_pylist() == [
        {"n_instructions": 0, "text_tokens": 12, "quoted_box": [30, 60, 151, 80]},
        {"n_instructions": 1, "text_tokens": len("把“山水”删去".encode()) + 5, "quoted_box": [300, 5, 340, 50]},
        {"n_instructions": 0, "text_tokens": 0, "quoted_box": None},
    ]
