from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.licenses import names_in, permits

ALLOWED = frozenset({"cc-by-4.0", "mit", "apache-2.0 with llvm-exception", "cc by 4.0"})


@pytest.mark.parametrize(
    ("expression", "permitted"),
    [
        ("MIT", True),
        ("mit", True),
        ("GPL-3.0-only", False),
        ("MIT AND CC-BY-4.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only OR MIT AND GPL-2.0-only", False),  # AND binds tighter
        ("(GPL-3.0-only OR MIT) and CC-BY-4.0", True),
        ("Apache-2.0", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT WITH anything", True),
        ("CC BY 4.0", True),  # no expression: one name
        ("CC BY 3.0", False),
        ("MIT AND", False),
        ("(MIT", False),
        ("(" * 100_000, False),
        ("", False),
        (None, False),
    ],
)
def test_an_expression_is_permitted_when_all_that_it_demands_is(expression: str | None, permitted: bool) -> None:
    assert permits(ALLOWED, expression) == permitted


def test_every_license_in_an_expression_has_a_name() -> None:
    assert names_in("MIT AND (CC-BY-4.0 OR OFL-1.1)")[1:] == ["MIT", "CC-BY-4.0", "OFL-1.1"]
    assert names_in("CC BY 4.0") == ["CC BY 4.0"]
    assert names_in(None) == [""]


@given(st.lists(st.sampled_from(["MIT", "AND", "or", "WITH", "(", ")", "x", "", "("]), max_size=30).map(" ".join))
def test_whatever_stands_there_ends_and_its_name_alone_permits_it(text: str) -> None:
    assert not permits(frozenset(), text)
    assert permits(frozenset({text.strip().casefold()}), text)
    assert names_in(text)[0] == text.strip()
