"""Every URL ends, whatever its server does: a case for each way, and the reason that it must end with."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pipeline.downloads import body
from pipeline.downloads import fetch as fetch_module
from pipeline.downloads.config import DownloadsConfig
from pipeline.downloads.fetch import Download, Fetcher
from pipeline.downloads.reasons import REASONS
from tests.pipeline.downloads.server import PNG, Server

TRIES, TIMEOUT, MEGABYTES = 2, 2.0, 1.0


@dataclass(frozen=True)
class Case:
    """A URL by path and port of the server, or whole; how it ends, and after how many tries."""

    path: str
    reason: str
    tries: int = 1
    port: str = "plain"
    host: str = "127.0.0.1"
    scheme: str = "http"
    status: int | None = None

    def url(self, server: Server) -> str:
        path = self.path
        for name, port in server.ports.items():
            path = path.replace("{" + name + "}", str(port))
        return path if ":" in path.split("/")[0] else server.url(path, self.port, self.host, self.scheme)


def _redirect(target: str, reason: str) -> Case:
    return Case(f"/to?{target}", reason, status=302)


CASES = [
    # what works
    Case("/picture.png", "ok", status=200),
    Case("/chunked.png", "ok"),
    Case("/until-close.png", "ok"),
    Case("/gzip.png", "ok"),
    Case("/deflate.png", "ok"),
    Case("/early-hints.png", "ok"),
    Case("/called-html.html", "ok"),
    Case("/closes.png", "ok"),
    Case("/etag.png", "ok"),
    Case("/steps?3", "ok"),
    Case("/steps?10", "ok"),
    Case("/busy-once.png", "ok", tries=2),
    Case("/down-once.png", "ok", tries=2),
    Case("/tagged.png?noindex,_nofollow", "ok"),
    Case("/tagged.png?otherbot:_noai", "ok"),
    Case("/reserved.png?0", "ok"),
    Case("/picture.png", "ok", port="robots_rules"),
    Case("/private/open/a.png", "ok", port="robots_rules"),
    Case("/picture.png", "ok", port="tls", scheme="https"),
    Case("/strange-head.png", "ok"),
    Case("/strange-place.png", "redirects"),
    Case("/strange-packing.png", "encoding"),
    # what takes for ever
    Case("/hang.png", "timeout", tries=2),
    Case("/hang-after-head.png", "timeout", tries=2, status=200),
    Case("/drip.png", "timeout", tries=2),
    Case("/drip-head.png", "timeout", tries=2),
    Case("/picture.png?1", "timeout", port="robots_hang"),
    # what is too much, or not what it says
    Case("/bomb.png", "too_large", status=200),
    Case("/length-huge.png", "too_large"),
    Case("/endless.png", "too_large"),
    Case("/endless-chunks.png", "too_large"),
    Case("/endless-head.png", "bad_response", tries=2),
    Case("/length-too-long.png", "truncated", tries=2),
    Case("/chunks-cut.png", "truncated", tries=2),
    Case("/bad-chunk.png", "bad_response", tries=2),
    Case("/gzip-cut.png", "truncated", tries=2),
    Case("/gzip-lie.png", "encoding"),
    Case("/brotli.png", "encoding"),
    Case("/length-twice.png", "bad_response", tries=2),
    Case("/length-negative.png", "bad_response", tries=2),
    Case("/html.png", "not_picture", status=200),
    Case("/short-html.png", "not_picture"),
    Case("/json.png", "not_picture"),
    Case("/video.png", "not_picture"),
    Case("/empty.png", "empty"),
    # what does not answer, or not in HTTP
    Case("/breaks-off.png", "connect", tries=2),
    Case("/x.png", "connect", port="resets"),
    Case("/x.png", "connect", port="nobody"),
    Case("/x.png", "bad_response", port="not_http"),
    Case("/x.png", "connect", port="tls"),
    Case("/x.png", "tls", port="not_http", scheme="https"),
    Case("/x.png", "tls", port="tls_expired", scheme="https"),
    Case("/x.png", "tls", port="tls_other", scheme="https"),
    # statuses
    Case("/status?404", "not_found", status=404),
    Case("/status?410", "not_found"),
    Case("/status?401", "denied"),
    Case("/status?403", "denied"),
    Case("/status?451", "denied"),
    Case("/status?500", "server_error", tries=2, status=500),
    Case("/status?503", "server_error", tries=2),
    Case("/status?204", "bad_status"),
    Case("/status?206", "bad_status"),
    Case("/status?304", "bad_status"),
    Case("/status?400", "bad_status"),
    Case("/status?999", "bad_status"),
    Case("/busy.png", "rate_limited", tries=2, status=429),
    Case("/busy-long.png", "rate_limited"),
    Case("/busy-date.png", "rate_limited", status=503),
    # redirects
    Case("/circle-a", "redirects", status=301),
    Case("/itself", "redirects"),
    Case("/steps?11", "redirects"),
    Case("/nowhere", "redirects"),
    _redirect("file:///etc/passwd", "redirects"),
    _redirect("ftp://127.0.0.1/x.png", "redirects"),
    _redirect("data:image/png;base64,AAAA", "redirects"),
    _redirect("javascript:alert(1)", "redirects"),
    _redirect("//", "redirects"),
    _redirect("http://user:secret@127.0.0.1:{plain}/picture.png", "redirects"),
    _redirect("http://127.0.0.1:{off_list}/picture.png", "forbidden_address"),
    _redirect("http://localhost:{off_list}/picture.png", "forbidden_address"),
    _redirect("//127.0.0.1:{off_list}/picture.png", "forbidden_address"),
    _redirect("http://2130706433:{off_list}/picture.png", "forbidden_address"),
    _redirect("http://0x7f000001:{off_list}/picture.png", "forbidden_address"),
    _redirect("http://0177.0.0.1:{off_list}/picture.png", "forbidden_address"),
    _redirect("http://127.1:{off_list}/picture.png", "forbidden_address"),
    _redirect("http://[::1]:{off_list}/picture.png", "forbidden_address"),
    _redirect("http://[::ffff:127.0.0.1]:{off_list}/picture.png", "forbidden_address"),
    _redirect("http://[::ffff:7f00:1]:{plain}/picture.png", "forbidden_address"),
    _redirect("http://0.0.0.0:{off_list}/picture.png", "forbidden_address"),
    # what its owner does not want
    Case("/private-x.png", "robots", port="robots_rules"),
    Case("/picture.png", "robots", port="robots_500"),
    Case("/picture.png", "robots", port="robots_delay"),
    Case("/tagged.png?noai", "opted_out", status=200),
    Case("/tagged.png?noindex,_noimageai", "opted_out"),
    Case("/tagged.png?glyphmill:_noindex,_NoAI", "opted_out"),
    Case("/reserved.png?1", "opted_out"),
    # what is no URL, or leads inside
    Case("http://127.0.0.1:{off_list}/picture.png", "forbidden_address"),
    Case("file:///etc/passwd", "bad_url", tries=0),
    Case("http:///x.png", "bad_url", tries=0),
    Case("http://user:secret@127.0.0.1/x.png", "bad_url", tries=0),
    Case("http://no-such-host.invalid/x.png", "dns"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


def config(server: Server, **more: object) -> DownloadsConfig:
    allow = tuple(f"127.0.0.1:{port}" for name, port in server.ports.items() if name != "off_list")
    fields = {"allow": allow, "timeout_s": TIMEOUT, "max_megabytes": MEGABYTES, "tries": TRIES, "backoff_s": 0.01}
    return DownloadsConfig(**{**fields, "per_host": 200, **more})  # type: ignore[arg-type]


def fetch(
    server: Server, urls: list[str], known: dict[str, str | None] | None = None, **more: object
) -> list[Download]:
    context = ssl.create_default_context()
    for name in ("tls", "tls_expired", "tls_other"):
        context.load_verify_locations(server.folder / f"{name}.pem")

    async def everything() -> list[Download]:
        async with Fetcher(config(server, **more), 10**8, context) as fetcher:
            return await asyncio.gather(*(fetcher.fetch(url, known) for url in urls))

    return asyncio.run(everything())


@pytest.fixture(scope="module")
def ends(server: Server) -> dict[Case, Download]:
    return dict(zip(CASES, fetch(server, [case.url(server) for case in CASES]), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.scheme}-{c.port}-{c.path}")
def test_every_url_ends_with_its_reason(case: Case, ends: dict[Case, Download]) -> None:
    end = ends[case]
    assert (end.reason, end.tries) == (case.reason, case.tries), end.error
    assert (end.reason == "ok") == bool(end.body) == (end.error is None)
    if case.status:
        assert end.status == case.status


def test_every_reason_is_of_the_closed_list(ends: dict[Case, Download]) -> None:
    assert {end.reason for end in ends.values()} <= set(REASONS)


def test_every_end_can_be_written_down(ends: dict[Case, Download]) -> None:
    for end in ends.values():
        for value in vars(end).values():
            assert not isinstance(value, str) or value.encode()


def test_bytes_come_whole_and_as_they_are(ends: dict[Case, Download]) -> None:
    assert {end.body for end in ends.values() if end.reason == "ok"} == {PNG}


def test_nothing_off_the_list_was_asked(server: Server, ends: dict[Case, Download]) -> None:
    assert not [path for path in server.requests if path.startswith("off_list")]


def test_a_dead_host_is_asked_for_its_robots_file_alone(server: Server) -> None:
    ends = fetch(server, [server.url(f"/{n}.png", "resets") for n in range(20)])
    assert {end.reason for end in ends} == {"connect"}
    assert all("robots.txt" in (end.error or "") for end in ends)


def test_without_robots_and_opt_outs_nobody_is_asked(server: Server) -> None:
    before = server.requests["robots_500/robots.txt"]
    urls = [server.url("/picture.png", "robots_500"), server.url("/tagged.png?noai")]
    ends = fetch(server, urls, robots=False, opt_outs=False)
    assert [end.reason for end in ends] == ["ok", "ok"]
    assert server.requests["robots_500/robots.txt"] == before


def test_a_robots_file_is_read_once(server: Server) -> None:
    before = server.requests["robots_rules/robots.txt"]
    fetch(server, [server.url(f"/{n}.png", "robots_rules") for n in range(20)])
    assert server.requests["robots_rules/robots.txt"] == before + 1


def test_no_more_requests_than_per_host_at_the_same_time(server: Server) -> None:
    ends = fetch(server, [server.url("/slow.png") for _ in range(30)], per_host=3, requests_per_s=1000.0)
    assert [end.reason for end in ends] == ["ok"] * 30
    assert 2 <= server.most["/slow.png"] <= 3


def test_a_request_says_who_asks_and_carries_no_cookie(server: Server) -> None:
    fetch(server, [server.url("/cookie.png")])
    fetch(server, [server.url("/cookie.png"), server.url("/cookie.png")], per_host=1, contact="crawler@example.org")
    sent = server.headers["/cookie.png"]
    assert sent["user-agent"] == "Glyphmill/0.1 (+crawler@example.org)"
    assert "cookie" not in sent
    assert sent["accept-encoding"] == "identity"


def test_bytes_that_did_not_change_are_not_sent_again(server: Server) -> None:
    (first,) = fetch(server, [server.url("/etag.png")])
    assert (first.etag, first.last_modified) == ('"v1"', "Wed, 21 Oct 2015 07:28:00 GMT")
    (again,) = fetch(server, [server.url("/etag.png")], {"ETag": first.etag, "Last-Modified": first.last_modified})
    assert (again.reason, again.status, again.body) == ("not_modified", 304, b"")
    (other,) = fetch(server, [server.url("/etag.png")], {"ETag": '"v0"', "Last-Modified": None})
    assert (other.reason, other.body) == ("ok", PNG)


def test_names_are_checked_by_what_they_lead_to(server: Server) -> None:
    url, port = server.url("/a.png", host="localhost"), server.ports["plain"]
    (not_listed,) = fetch(server, [url], allow=())
    assert not_listed.reason == "forbidden_address"
    assert "localhost is 127.0.0.1, loopback" in (not_listed.error or "") or "::1" in (not_listed.error or "")
    (by_name,) = fetch(server, [url], allow=(f"localhost:{port}",))
    assert by_name.reason == "ok"


def test_large_bodies_wait_for_each_other_and_not_in_vain(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time here: those behind two that hang are late, and that is not their servers' fault."""
    monkeypatch.setattr(body, "LARGE", 1000)
    monkeypatch.setattr(fetch_module, "_LARGE_BYTES", 1)
    hanging = [server.url(f"/hang-in-the-middle.png?{n}") for n in range(2)]
    ends = fetch(server, [*hanging, *(server.url(f"/slow.png?{n}") for n in range(10))], tries=1, timeout_s=1.0)
    assert [end.reason for end in ends] == ["timeout"] * 2 + ["ok"] * 10
