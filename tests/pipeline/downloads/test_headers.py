"""Retry-After, X-Robots-Tag and TDM-Reservation as servers send them."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.downloads.headers import opted_out, retry_after

NOW = datetime.datetime(2026, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 400, 999999999.0),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60.0),
        ("Thursday, 01-Jan-26 12:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 14:01:00 +0200", 60.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("Thu, 99 Jan 2026 12:01:00 GMT", None),
        ("Thu, 01 Jan 99999 12:01:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("tags", "reservations", "reserved"),
    [
        ([], [], False),
        (["noindex, nofollow"], [], False),
        (["noai"], [], True),
        (["noindex, NoImageAI"], [], True),
        (["noindex", "noimageai"], [], True),
        (["glyphmill: noai"], [], True),
        (["Glyphmill: noindex, noai"], [], True),
        (["*: noai"], [], True),
        (["otherbot: noai"], [], False),
        (["otherbot: noindex, noai"], [], False),
        (["otherbot: noindex, glyphmill: noai"], [], True),
        (["unavailable_after: 25 Jun 2030 15:00:00 PST, noai"], [], True),
        (["max-image-preview: large, noimageai"], [], True),
        (["noairplane"], [], False),
        ([], ["1"], True),
        ([], [" 1 "], True),
        ([], ["0"], False),
        ([], ["yes"], False),
    ],
)
def test_who_opts_out_is_heard(tags: list[str], reservations: list[str], reserved: bool) -> None:
    assert bool(opted_out(tags, reservations, "Glyphmill")) == reserved


@given(st.text())
def test_no_header_is_too_strange(text: str) -> None:
    seconds = retry_after(text, NOW)
    assert seconds is None or seconds >= 0
    assert isinstance(opted_out([text], [text], "Glyphmill"), str | None)
