"""Foreign text: what draws nothing is taken out and told, what cannot be set is refused."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from synth.corpus.sanitize import Refused, Sanitized, sanitize


@pytest.mark.parametrize(
    ("raw", "text", "taken"),
    [
        ("a plain line", "a plain line", ()),
        (" 全角\u3000空格\tand\r\ntabs ", "全角 空格 and tabs", ()),
        ("10\u00a0km, 5\u202fkg, \u00a0 apart\u00a0", "10\u00a0km, 5\u00a0kg, apart", ()),
        ("a\u200bb\u00adc \u202eabc\u2066d\ufeff", "abc abcd", ("zero-width or bidi mark",)),
        ("bell\x07 nul\x00", "bell nul", ("control character",)),
        ("great 😀 day ❤️ 👨‍👩‍👧", "great day", ("emoji", "zero-width or bidi mark")),
        ("1️⃣ © 2024 ™ ☎ 🇨🇳", "1 © 2024 ™ ☎", ("emoji",)),
        ("葛\U000e0100城", "葛城", ("variation selector",)),
        ("e\u0301te\u0301", "été", ()),
        ("😀😀", "", ("emoji",)),
    ],
)
def test_what_is_no_text_is_taken_out(raw: str, text: str, taken: tuple[str, ...]) -> None:
    assert sanitize(raw) == Sanitized(text, taken)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("mixed אבגד Hebrew", "right-to-left"),
        ("العربية", "right-to-left"),
        ("half \ud83d", "lone surrogate"),
        ("\ue000", "private-use or unassigned character"),
        ("\u0378", "private-use or unassigned character"),
    ],
)
def test_what_cannot_be_set_is_refused(raw: str, reason: str) -> None:
    assert sanitize(raw) == Refused(reason)


@given(st.text(max_size=60))
def test_a_tidied_text_is_tidy(raw: str) -> None:
    result = sanitize(raw)
    if isinstance(result, Sanitized):
        assert sanitize(result.text) == Sanitized(result.text)
        assert not regex.search(r"\p{C}", result.text)
