from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.licenses import license_name, names_in, permits

ALLOWED = frozenset(
    map(license_name, ["CC-BY-4.0", "MIT", "Apache-2.0 WITH LLVM-exception", "CC BY 4.0", "MIT/X11", "LGPL-3.0"])
)


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
        ("LGPL-3.0-only", True),  # SPDX deprecates LGPL-3.0 for it
        ("LGPL-3.0-or-later", False),
        ("CC BY 4.0", True),  # on no list: one name
        ("CC BY 4.0 AND MIT", True),
        ("CC BY 3.0", False),
        ("MIT/X11", True),  # no expression: one name
        ("MIT License", False),
        ("MIT-like", False),
        ("LicenseRef-MIT-Bootstrap", False),  # which ScanCode takes for MIT
        ("unknown", False),
        ("MIT AND unknown", False),
        ("MIT AND", False),
        ("(MIT", False),
        ("(" * 100_000, False),
        ("(" * 240 + "MIT" + ")" * 240, True),
        ("", False),
        (None, False),
    ],
)
def test_an_expression_is_permitted_when_all_that_it_demands_is(expression: str | None, permitted: bool) -> None:
    assert permits(ALLOWED, expression) == permitted


def test_every_license_in_an_expression_has_a_name() -> None:
    assert names_in("MIT AND (CC-BY-4.0 OR OFL-1.1)")[1:] == ["MIT", "CC-BY-4.0", "OFL-1.1"]
    assert names_in("Apache-2.0 WITH LLVM-exception")[1:] == ["Apache-2.0", "LLVM-exception"]
    assert names_in("GPL-2.0+") == ["GPL-2.0+", "GPL-2.0-or-later"]
    assert names_in("MIT License") == ["MIT License"]
    assert names_in(None) == [""]


@settings(deadline=None)
@example("()")
@example("MIT OR ()")
@given(
    st.lists(st.sampled_from(["MIT", "AND", "or", "WITH", "(", ")", "x", "", "(", "+", "GPL-2.0"]), max_size=30).map(
        " ".join
    )
    | st.text("aB1-.+:/() \t\0名é", max_size=40)
)
def test_whatever_stands_there_ends_and_its_name_alone_permits_it(text: str) -> None:
    assert not permits(frozenset(), text)
    assert permits(frozenset({license_name(text)}), text)
    assert names_in(text)[0] == text.strip()
    assert license_name(license_name(text)) == license_name(text)
