"""One address on the web has one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.downloads.canonical import canonical, join
from pipeline.downloads.reasons import Stopped

SAME = {
    "HTTP://EXAMPLE.com:80/a/../b/./c?x=1&y=%7e#f": "http://example.com/b/c?x=1&y=~",
    " https://example.com:443 ": "https://example.com/",
    "http://example.com": "http://example.com/",
    "http://example.com./a": "http://example.com/a",
    "http://example.com?": "http://example.com/",
    "http://bücher.example/ü ?q=ä": "http://xn--bcher-kva.example/%C3%BC%20?q=%C3%A4",
    "http://BÜCHER.example/%c3%bc%20?q=%C3%A4": "http://xn--bcher-kva.example/%C3%BC%20?q=%C3%A4",
    "http://xn--bcher-kva.example/a%2Fb%41": "http://xn--bcher-kva.example/a%2FbA",
    "http://例え.テスト/猫.png": "http://xn--r8jz45g.xn--zckzah/%E7%8C%AB.png",
    "http://[::FFFF:7F00:1]:8080/": "http://[::ffff:7f00:1]:8080/",
    "http://a_b.example/%zz": "http://a_b.example/%25zz",
    "http://h/a//b?b=2&a=1": "http://h/a//b?b=2&a=1",
}
NONE = [
    *("", "picture.png", "//host/x.png", "ftp://host/x.png", "file:///etc/passwd", "data:image/png;base64,AA"),
    *("http:///x", "http://", "https://?x", "http://user@host/", "http://user:secret@host/", "http://host:0/"),
    *("http://host:99999/", "http://host:x/", "http://ho st/", "http://host\\@evil/", "http://ho%00st/", "http://-/"),
    *("http://[fe80::1%25eth0]/", "http://[::1/", "http://xn--/", "http://.host/", "http://a..b/", "http://h/\r\nX: y"),
    *(
        "http://h/" + "a" * 9000,
        f"http://{'a' * 64}.com/",
        "http://exa\u00admple.com/",
        "http://h/\0",
    ),
]


@pytest.mark.parametrize(("text", "expected"), SAME.items())
def test_spellings_become_one(text: str, expected: str) -> None:
    assert str(canonical(text)) == expected


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(Stopped) as stopped:
        canonical(text)
    assert stopped.value.reason == "bad_url"


@given(st.text(), st.sampled_from(["http://", "https://h/", "http://h?", "http://[", "//", ""]))
def test_a_canonical_url_stays_as_it_is(text: str, start: str) -> None:
    try:
        url = str(canonical(start + text))
    except Stopped:
        return
    assert str(canonical(url)) == url
    assert url.isascii()
    assert not any(c.isspace() for c in url)


@pytest.mark.parametrize(
    ("location", "expected"),
    [("b.png", "http://h/x/b.png"), ("/b", "http://h/b"), ("//g/b", "http://g/b"), ("?q", "http://h/x/a?q"), ("HTTPS://G:443/b#c", "https://g/b")],
)  # fmt: skip
def test_redirects_are_relative_to_where_they_were_found(location: str, expected: str) -> None:
    assert str(join(canonical("http://h/x/a"), location)) == expected
