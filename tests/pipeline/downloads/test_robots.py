"""robots.txt as RFC 9309 has it, without a network."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from pipeline.downloads import robots
from pipeline.downloads.reasons import Stopped
from pipeline.downloads.robots import Robots, RobotsFile

RULES = b"""
User-agent: *
Disallow: /

User-agent: OtherBot
User-agent: Glyphmill
Disallow: /a
Allow: /a/open
Disallow: /*.gif$
Crawl-delay: 2.5
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Web:
    """Answers for robots.txt, and counts who asks."""

    def __init__(self, *answers: RobotsFile | Stopped) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, url: URL) -> RobotsFile:
        self.asked.append(str(url))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Stopped):
            raise answer
        return answer


def check(web: Web, *urls: str, clock: Clock | None = None) -> list[str | float]:
    async def everything() -> list[str | float]:
        asked = Robots("Glyphmill", web, clock or Clock())
        ends: list[str | float] = []
        for url in urls:
            try:
                ends.append(await asked.check(URL(url)))
            except Stopped as stopped:
                ends.append(stopped.reason)
        return ends

    return asyncio.run(everything())


@pytest.mark.parametrize(
    ("path", "end"),
    [("/", 2.5), ("/b.png", 2.5), ("/a", "robots"), ("/abc.png", "robots"), ("/a/open/x.png", 2.5), ("/x.gif", "robots"), ("/x.gif?1", 2.5)],
)  # fmt: skip
def test_the_longest_rule_of_ones_own_group_counts(path: str, end: str | float) -> None:
    assert check(Web(RobotsFile(200, RULES)), f"http://h{path}") == [end]


@pytest.mark.parametrize(
    ("file", "end"),
    [
        (RobotsFile(404, b"User-agent: *\nDisallow: /"), 0.0),
        (RobotsFile(403, b""), 0.0),
        (RobotsFile(200, b""), 0.0),
        (RobotsFile(200, b"<html>not found</html>"), 0.0),
        (RobotsFile(200, b"\xff\xfe\0User-agent"), 0.0),
        (RobotsFile(200, b"User-agent: *\nDisallow:"), 0.0),
        (RobotsFile(200, b"#" * 600_000 + b"\nUser-agent: *\nDisallow: /"), 0.0),
        (RobotsFile(200, b"User-agent: *\nCrawl-delay: 3"), 3.0),
        (RobotsFile(200, b"User-agent: *\nCrawl-delay: -3"), 0.0),
        (RobotsFile(200, b"User-agent: *\nCrawl-delay: nan"), 0.0),
        (RobotsFile(200, b"User-agent: *\nDisallow: /"), "robots"),
        (RobotsFile(429, b""), "robots"),
        (RobotsFile(500, b""), "robots"),
        (RobotsFile(503, b""), "robots"),
        (Stopped("dns", "no such host"), "dns"),
        (Stopped("forbidden_address", "inside"), "forbidden_address"),
    ],
)
def test_what_its_absence_means(file: RobotsFile | Stopped, end: str | float) -> None:
    assert check(Web(file), "http://h/x.png") == [end]


def test_each_origin_is_asked_once() -> None:
    web = Web(RobotsFile(404, b""))
    check(web, "http://h/1", "http://h/2", "https://h/1", "http://h:8080/1", "http://g/1", "http://h/3")
    assert web.asked == [f"{o}/robots.txt" for o in ("http://h", "https://h", "http://h:8080", "http://g")]


def test_a_fault_is_forgotten_sooner_than_a_file() -> None:
    clock, web = Clock(), Web(Stopped("connect", "down"), RobotsFile(200, b"User-agent: *\nDisallow: /x"))

    async def main() -> list[str]:
        robots, ends = Robots("Glyphmill", web, clock), []
        for now in (0, 200, 400, 4000, 100_000):
            clock.now = now
            try:
                await robots.check(URL("http://h/x"))
            except Stopped as stopped:
                ends.append(stopped.reason)
        return ends

    assert asyncio.run(main()) == ["connect", "connect", "robots", "robots", "robots"]
    assert len(web.asked) == 3


@settings(deadline=None, max_examples=50)
@given(
    st.one_of(
        st.binary(),
        st.text().map(lambda text: f"User-agent: *\nDisallow: {text}\nCrawl-delay: {text}".encode("utf-8", "replace")),
    )
)
def test_no_robots_file_is_too_strange(body: bytes) -> None:
    (end,) = check(Web(RobotsFile(200, body)), "http://h/x.png?y=%20")
    assert end == "robots" or (isinstance(end, float) and end >= 0)


def test_files_of_many_hosts_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots, "_ALL_BYTES", 2 * len(RULES))
    web = Web(RobotsFile(200, RULES))
    hosts = [f"http://{n}.example.com/x" for n in (0, 1, 2, 3, 3, 2, 0)]
    check(web, *hosts)
    assert [url.split(".")[0] for url in web.asked] == [f"http://{n}" for n in (0, 1, 2, 3, 0)]


def test_wildcards_of_a_hostile_file_are_matched_in_linear_time() -> None:
    """By backtracking, this one alone would hold up all downloads for longer than the universe is old."""
    web = Web(RobotsFile(200, b"User-agent: *\nDisallow: /" + b"*a" * 40 + b"*b$\n"))
    assert check(web, "http://example.com/" + "a" * 2000) == [0.0]
