"""Fragments are downloaded together and committed one by one; a later run asks for what has changed. Without Ray."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from configs import RunFailed
from configs.pictures import Limits
from pipeline.downloads.config import DownloadsConfig
from pipeline.engine import download
from pipeline.engine.retry import write_retries
from pipeline.parquet import read_table
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import Reader, UrlsSource
from pipeline.store.commit import read_failures
from pipeline.store.failures import write_failures
from pipeline.store.ledger import Fragment, FragmentsConfig, fragments, write_ledger
from pipeline.store.run_folder import RunFolder
from tests.pipeline.downloads.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


def listed(folder: Path, urls: list[str], inputs: int = 4) -> tuple[RunFolder, UrlsSource, list[Fragment]]:
    folder.mkdir()
    (folder / "list.txt").write_text("\n".join(urls))
    source = UrlsSource(kind="urls", name="web", list=str(folder / "list.txt"))
    run = RunFolder(folder)
    write_ledger(run.ledger("web"), "web", source.entries("sources.0", print), FragmentsConfig(inputs=inputs))
    return run, source, fragments(run.ledger("web"), "web")


def fetched(server: Server, run: RunFolder, source: UrlsSource, found: list[Fragment], **more: object) -> None:
    fields = {"allow": (f"127.0.0.1:{server.ports['plain']}",), "tries": 1, "per_host": 50, "timeout_s": 20.0} | more
    worker = download.Downloader(
        run, {"web": source.reader()}, Limits(), GuardConfig(), {"web": source}, DownloadsConfig(**fields)
    )  # type: ignore[arg-type]
    for wave in download.waves(found):
        assert worker(wave) == wave
    worker.close()


def ends(run: RunFolder, found: list[Fragment], *columns: str) -> list[tuple]:
    rows = [row for f in found for row in read_table(run.downloads(f.name)).to_pylist()]
    return [tuple(row[column] for column in columns) for row in rows]


def test_a_later_run_is_sent_what_has_changed_alone(server: Server, tmp_path: Path) -> None:
    urls = [server.url(path) for path in ("/etag.png", "/picture.png", "/status?404", "/seed.png?7")]
    first = listed(tmp_path / "first", urls)
    fetched(server, *first)
    again = listed(tmp_path / "again", [*urls[::-1], server.url("/seed.png?8")], inputs=2)
    fetched(server, *again, previous=str(tmp_path / "first"))
    assert ends(again[0], again[2], "url", "reason", "status") == [
        (urls[3], "ok", 200),  # its server has an ETag for it and sends it all the same
        (urls[2], "not_found", 404),
        (urls[1], "ok", 200),  # its server says nothing of its bytes
        (urls[0], "not_modified", 304),
        (server.url("/seed.png?8"), "ok", 200),
    ]
    rows = [
        read_table(run.samples(f.name), ["uri", "image"]).to_pylist() for run, _, found in (first, again) for f in found
    ]
    bytes_of = [{row["uri"]: row["image"]["bytes"] for row in part} for part in rows]
    assert bytes_of[2][urls[0]] == bytes_of[0][urls[0]]
    third = listed(tmp_path / "third", urls)
    fetched(server, *third, previous=str(tmp_path / "again"))
    assert ends(third[0], third[2], "reason")[0] == ("not_modified",)
    assert (
        ends(third[0], third[2], "etag", "last_modified", "sha256")[0]
        == ends(first[0], first[2], "etag", "last_modified", "sha256")[0]
    )


def test_what_the_earlier_run_has_lost_is_fetched(server: Server, tmp_path: Path) -> None:
    urls = [server.url("/etag.png")]
    first, again = listed(tmp_path / "first", urls), listed(tmp_path / "again", urls)
    fetched(server, *first)
    first[0].samples("web-00000").unlink()
    fetched(server, *again, previous=str(tmp_path / "first"))
    assert ends(again[0], again[2], "reason", "tries") == [("ok", 1)]


def test_committed_fragments_are_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    made = listed(tmp_path / "run", [server.url(f"/seed.png?{n}") for n in range(100, 108)])
    run, source, found = made
    fetched(server, run, source, found[:1])
    fetched(server, *made)
    assert [server.requests[f"plain/seed.png?{n}"] for n in range(100, 108)] == [1] * 8
    assert ends(run, found, "reason") == [("ok",)] * 8


def test_a_picture_that_hangs_its_reader_costs_itself_alone(server: Server, tmp_path: Path) -> None:
    run, source, found = listed(tmp_path / "run", [server.url("/half.png"), server.url("/seed.png?1")])
    fetched(server, run, source, found)
    assert ends(run, found, "reason") == [("ok",), ("ok",)]
    assert read_table(run.samples("web-00000"), ["uri"])["uri"].to_pylist()[-1] == server.url("/seed.png?1")


class Broken(Reader):
    """Its child can be loaded and says that nothing can be read like this."""

    def read(self, entry: object, limits: Limits) -> dict:
        raise RunFailed("the disk is full")


def test_what_stops_a_run_stops_it_in_one_line(server: Server, tmp_path: Path) -> None:
    run, _, found = listed(tmp_path / "run", [server.url(f"/seed.png?{n}") for n in range(8)])
    source = UrlsSource(kind="urls", name="web", list=str(tmp_path / "run/list.txt"))
    config = DownloadsConfig(allow=(f"127.0.0.1:{server.ports['plain']}",))
    worker = download.Downloader(run, {"web": Broken()}, Limits(), GuardConfig(), {"web": source}, config)
    with pytest.raises(RunFailed, match="the disk is full"):
        worker(download.waves(found)[0])
    worker.close()
    assert not run.samples("web-00000").exists()


def test_refusals_of_listing_have_a_row_like_others(server: Server, tmp_path: Path) -> None:
    run, source, found = listed(tmp_path / "run", ["nonsense", server.url("/seed.png?1"), server.url("/seed.png?1")])
    fetched(server, run, source, found)
    assert ends(run, found, "reason", "tries") == [("bad_url", 0), ("ok", 1), ("repeated", 0)]
    assert [f["reason"] for f in read_failures(run.samples("web-00000"))] == ["bad_url", "repeated"]


def test_what_failed_for_a_reason_is_tried_again(server: Server, tmp_path: Path) -> None:
    made = listed(
        tmp_path / "run", [server.url(p) for p in ("/flaky.png", "/status?404", "/seed.png?200", "/html.png")]
    )
    run, source, found = made
    fetched(server, *made)
    write_failures(run, found[0].name, [])
    server.repaired = True
    write_retries(run, [source], frozenset({"not_found"}), FragmentsConfig())
    (again,) = [f for f in fragments(run.ledger("web"), "web") if f.attempt == 2]
    fetched(server, run, source, [again])
    assert ends(run, [again], "url", "reason") == [
        (server.url("/flaky.png"), "ok"),
        (server.url("/status?404"), "not_found"),
    ]
    assert server.requests["plain/seed.png?200"] == 1


def test_a_fragment_holds_no_more_than_there_is_room_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [server.url(f"/seed.png?{n}") for n in range(6)]
    run, source, found = listed(tmp_path / "run", urls, inputs=6)
    fetched(server, *listed(tmp_path / "measure", urls[:1]))
    (size,) = ends(RunFolder(tmp_path / "measure"), fragments(tmp_path / "measure" / "ledger" / "web", "web"), "bytes")
    monkeypatch.setattr(download, "_MOST_BYTES", 3 * size[0] + size[0] // 2)
    fetched(server, run, source, found)
    reasons = [reason for (reason,) in ends(run, found, "reason")]
    assert (reasons.count("ok"), reasons.count("no_room")) == (3, 3)
    assert {failure["reason"] for failure in read_failures(run.samples(found[0].name))} == {"no_room"}
    write_failures(run, found[0].name, [])
    write_retries(run, [source], frozenset({"no_room"}), FragmentsConfig())
    again = fragments(run.ledger("web"), "web")[1:]
    fetched(server, run, source, again)
    assert [reason for (reason,) in ends(run, again, "reason")] == ["ok"] * 3
