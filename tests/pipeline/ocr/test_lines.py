"""Order and level of read lines, on boxes placed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ocr.lines import blocks, is_column, level_of, reading_order, unit_of
from pipeline.ocr.reader import Line
from synth.language import visible


def line(text: str, x: float, y: float, width: float = 200, height: float = 20, direction: str = "ltr") -> Line:
    quad = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float32)
    return Line(text, quad, 0.99, direction)


def texts(lines: list[Line]) -> str:
    return " ".join(x.text for x in lines)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("A", "glyph"),
        ("龙", "glyph"),
        ("龙。", "glyph"),
        ("HELLO", "word"),
        ("24", "word"),
        ("一帆风顺", "word"),
        ("well-known", "word"),
        ("春天的花园里", "line"),
        ("two words", "line"),
    ],
)
def test_unit_of_a_line(text: str, unit: str) -> None:
    assert unit_of(text) == unit


def test_levels() -> None:
    prose = [line(f"a line of running text {i}", 10, 10 + 24 * i) for i in range(4)]
    menu = [line("Tea", 10, 10 + 24 * i, 60) for i in range(5)]
    assert level_of([]) == 0
    assert level_of([line("龙", 0, 0)]) == level_of([line("SALE", 0, 0)]) == 1
    assert level_of([line("two words", 0, 0)]) == level_of([line("春天的花园里开满了花", 0, 0)]) == 2
    assert level_of(prose[:2]) == level_of(menu) == 3
    assert level_of(prose) == 4
    assert level_of([line("HEADLINE", 10, -90, 500, 60), *prose]) == 4
    spread = [line(f"a line of running text {i}", 10, 10 + 100 * i) for i in range(4)]
    assert level_of(spread) == 3  # far apart: a list of regions
    columns = [line("床前明月光疑是地上霜", 300 - 40 * i, 10, 30, 300, "ttb") for i in range(3)]
    assert level_of(columns) == 4


def test_columns_of_a_page_are_read_one_after_the_other() -> None:
    title = line("title", 0, 0, 620, 40)
    left = [line(f"l{i}", 0, 60 + 26 * i, 280) for i in range(5)]
    right = [line(f"r{i}", 340, 62 + 26 * i, 280) for i in range(5)]
    mixed = [right[3], left[4], left[0], title, right[0], right[4], left[2], right[1], left[1], left[3], right[2]]
    assert texts(reading_order(mixed)) == "title l0 l1 l2 l3 l4 r0 r1 r2 r3 r4"
    assert [len(b) for b in blocks(reading_order(mixed))] == [1, 5, 5]


def test_pieces_of_a_row_are_read_from_the_left() -> None:
    pieces = [line("c", 500, 12, 60), line("a", 0, 8, 200), line("b", 260, 10, 100), line("d", 0, 80)]
    assert texts(reading_order(pieces)) == "a b c d"


def test_padded_boxes_that_overlap_are_still_lines() -> None:
    tight = [line(str(i), 0, 18 * i, 300, 24) for i in (2, 0, 3, 1)]
    assert texts(reading_order(tight)) == "0 1 2 3"
    assert level_of([line("some longer text", 0, 18 * i, 300, 24) for i in range(4)]) == 4


def test_slanted_lines_follow_their_middles() -> None:
    def slanted(text: str, y: float) -> Line:
        quad = np.array([[0, y + 150], [300, y], [306, y + 12], [6, y + 162]], dtype=np.float32)
        return Line(text, quad, 0.9)

    assert texts(reading_order([slanted("b", 40), slanted("a", 0), slanted("c", 80)])) == "a b c"


def test_upright_columns_go_from_right_to_left() -> None:
    columns = [line(t, x, 20, 30, 250, "ttb") for t, x in (("c", 40), ("a", 200), ("b", 120))]
    assert texts(reading_order(columns)) == "a b c"


@pytest.mark.parametrize("quarter", range(4))
def test_a_turned_page_is_read_as_it_would_stand(quarter: int) -> None:
    left = [line(f"left column {i}", 0, 26 * i, 280) for i in range(4)]
    right = [line(f"right column {i}", 340, 26 * i, 280) for i in range(4)]
    turn = np.linalg.matrix_power(np.array([[0, 1], [-1, 0]], np.float32), quarter)  # x y as rows, clockwise
    turned = [Line(x.text, x.quad @ turn + 1000, x.score) for x in (right[2], *left, right[0], right[3], right[1])]
    assert texts(reading_order(turned)) == texts([*left, *right])
    assert level_of(reading_order(turned)) == 4


def test_what_stands_upright_in_a_tall_box() -> None:
    assert is_column("春天来了")
    assert is_column("A")
    assert not is_column("Annual report")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    boxes=st.lists(
        st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(1, 300), st.integers(1, 90)), max_size=12
    ),
    seed=st.integers(0, 99),
)
def test_order_keeps_every_line_and_does_not_depend_on_the_order_given(
    boxes: list[tuple[int, int, int, int]], seed: int
) -> None:
    lines = [line(str(i), *map(float, box)) for i, box in enumerate(boxes)]
    ordered = reading_order(lines)
    assert sorted(x.text for x in ordered) == sorted(x.text for x in lines)
    if len(set(boxes)) == len(boxes):
        shuffled = [lines[i] for i in np.random.default_rng(seed).permutation(len(lines))]
        assert [x.quad.tolist() for x in reading_order(shuffled)] == [x.quad.tolist() for x in ordered]
    assert 0 <= level_of(ordered) <= 4
    assert visible("".join(x.text for x in ordered)) == sum(len(x.text) for x in ordered)
