"""A list of URLs in a run, against a server that misbehaves: every row ends, and the sums hold."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from pipeline.config import load_config
from pipeline.engine import run as run_module
from pipeline.engine.run import run_pipeline
from tests.pipeline import commands
from tests.pipeline.downloads.server import Server
from tests.pipeline.hostile import encode, picture
from tests.pipeline.inline import work_inline

CONFIG = """
sources:
- {kind: urls, name: web, list: PATH/list.csv, captions: [alt, {column: long, source: recaption}], license: license, keep: [score]}
- {kind: urls, name: pairs, list: PATH/pairs.jsonl, url: after, references: [before]}
- {kind: edits, name: edits, table: PATH/edits.jsonl, sources: [before], instructions: [ask], target: after}
- {kind: urls, name: plain, list: PATH/plain.txt}
downloads: {allow: ["127.0.0.1:PORT"], tries: 2, backoff_s: 0.01, timeout_s: 20, max_megabytes: 1, user_agent: Glyphmill/0.1}
fragments: {inputs: 5}
annotate: [{kind: measure}]
dedup: {radius: -1}
decide: {rules: []}
cluster: {small: 1000}
"""

ROWS = [  # path, reason, alt
    ("/seed.png?1", "ok", "One"),
    ("/seed.png?2", "ok", ""),
    ("/x/../seed.png?1#top", "repeated", "The same"),
    ("/status?404", "not_found", ""),
    ("no url", "bad_url", ""),
    ("/half.png", "ok", ""),
    ("/html.png", "not_picture", ""),
    ("http://127.0.0.1:OFF/picture.png", "forbidden_address", ""),
    ("", "incomplete", ""),
    ("/to?http://127.0.0.1:OFF/picture.png", "forbidden_address", ""),
    ("/bomb.png", "too_large", ""),
    ("/flaky.png", "not_found", "At last"),
    ("/seed.png?1", "repeated", "One"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


def build(folder: Path, server: Server) -> Path:
    with (folder / "list.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["url", "alt", "long", "license", "score"])
        for number, (path, _, alt) in enumerate(ROWS):
            url = server.url(path) if path.startswith("/") else path
            writer.writerow([url.replace("OFF", str(server.ports["off_list"])), alt, "A text", "MIT", number])
    before, gone = server.url("/seed.png?10"), server.url("/status?410")
    pairs = [
        (before, server.url("/seed.png?11")),
        (gone, server.url("/seed.png?12")),
        (before, server.url("/gzip.png")),
    ]
    (folder / "pairs.jsonl").write_text("".join(f'{{"before": "{b}", "after": "{a}"}}\n' for b, a in pairs))
    (folder / "here.png").write_bytes(encode(picture(80, 60, seed=3), "PNG"))
    edits = [
        {"before": "here.png", "after": server.url("/x/../seed.png?30")},
        {"before": ["here.png", server.url("/seed.png?31")], "after": "here.png"},
        {"before": server.url("/status?404"), "after": "here.png"},
        {"before": "here.png", "after": "ftp://example.org/a.png"},
        {"before": "here.png", "after": server.url("/picture.png").replace("127.0.0.1", "127.0.0.2")},
    ]
    (folder / "edits.jsonl").write_text("".join(json.dumps({"ask": "Turn it"} | edit) + "\n" for edit in edits))
    (folder / "plain.txt").write_text("\n".join(server.url(f"/seed.png?{n % 3 + 20}") for n in range(30)))
    config = CONFIG.replace("PATH", str(folder)).replace("PORT", str(server.ports["plain"]))
    (folder / "config.yaml").write_text(config)
    return folder / "config.yaml"


@pytest.fixture(scope="module")
def run(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("downloads")
    output = commands.run_to_end(build(folder, server), folder / "run")
    assert "51 inputs" in output
    return folder


def downloads(folder: Path, source: str) -> pl.DataFrame:
    ledger = pl.read_parquet(folder / f"run/ledger/{source}/*.parquet").select("id", "ordinal")
    ends = pl.read_parquet(folder / f"run/downloads/{source}-0*.parquet")
    return ends.join(ledger, on="id").sort("ordinal", "place")


def test_every_row_ends_with_its_reason(run: Path) -> None:
    ends = downloads(run, "web")
    assert ends["ordinal"].to_list() == list(range(len(ROWS)))
    assert ends["reason"].to_list() == [reason for _, reason, _ in ROWS]
    failures = commands.table(run / "run", "failures").to_dicts()
    assert [f["reason"] for f in failures].count("repeated") == 2 + 27
    half = [(f["step"], f["reason"]) for f in failures if "half.png" in f["uri"]]
    assert half == [("decode", "undecodable")]  # its bytes came, half of its picture did not


def test_a_sample_says_where_it_comes_from(run: Path, server: Server) -> None:
    samples = {s["uri"]: s for s in commands.table(run / "run", "samples").to_dicts()}
    first = samples[server.url("/seed.png?1")]
    assert [(c["text"], c["source"]) for c in first["captions"]] == [
        ("One", "raw"),
        ("A text", "recaption"),
        ("The same", "raw"),
    ]
    assert (first["origin"], first["license"], first["extra"], first["format"]) == (
        "urls",
        "MIT",
        '{"score": "0"}',
        "PNG",
    )
    ends = downloads(run, "web").row(0, named=True)
    assert (ends["sha256"], ends["bytes"], ends["status"], ends["tries"]) == (
        first["sha256"],
        first["bytes_len"],
        200,
        1,
    )
    assert ends["etag"] == '"e"'


def test_references_are_fetched_with_their_picture(run: Path, server: Server) -> None:
    samples = {s["uri"]: s for s in commands.table(run / "run", "samples").to_dicts()}
    pair = samples[server.url("/seed.png?11")]
    assert (pair["task"], len(pair["references"]), pair["ref_sizes"]) == ("i2i", 1, [64, 48])
    assert pair["references"][0]["bytes"] != pair["image"]["bytes"]
    ends = downloads(run, "pairs")
    assert ends["reason"].to_list() == ["ok", "ok", "ok", "not_found", "ok", "ok"]
    failed = [f for f in commands.table(run / "run", "failures").to_dicts() if f["uri"] == server.url("/seed.png?12")]
    assert [(f["reason"], "its reference" in f["error"]) for f in failed] == [("not_found", True)]


def test_an_edit_may_mix_paths_and_urls(run: Path, server: Server) -> None:
    samples = {s["uri"]: s for s in commands.table(run / "run", "samples").to_dicts() if s["source"] == "edits"}
    assert set(samples) == {server.url("/seed.png?30"), "here.png"}
    here = (run / "here.png").read_bytes()
    first, second = samples[server.url("/seed.png?30")], samples["here.png"]
    assert [r["bytes"] for r in first["references"]] == [here]
    assert (first["image"]["path"], second["image"]["path"]) == ("seed.png", "here.png")
    assert second["image"]["bytes"] == second["references"][0]["bytes"] == here
    assert second["references"][1]["bytes"] not in (b"", here)
    assert second["task"] == "ti2i"
    failures = commands.table(run / "run", "failures").filter(pl.col("uri").str.contains("here|example|127.0.0.2"))
    assert sorted(failures["reason"]) == ["bad_url", "forbidden_address", "not_found"]


def test_a_repeated_url_is_fetched_once(run: Path, server: Server) -> None:
    assert [server.requests[f"plain/seed.png?{n}"] for n in (1, 20, 21, 22)] == [1] * 4
    assert server.requests["off_list/picture.png"] == 0


def test_the_same_command_again_asks_nobody(run: Path, server: Server) -> None:
    before = dict(server.requests)
    commands.run_to_end(run / "config.yaml", run / "run")
    assert dict(server.requests) == before


def test_what_is_known_of_a_host_holds_over_the_whole_run(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often collecting begins while a run is listed, one process asks its hosts."""
    work_inline(monkeypatch)
    monkeypatch.setattr(run_module, "PART", 1)
    monkeypatch.setattr("pipeline.store.ledger.PART", 1)
    commands.write_pictures(tmp_path / "photos", 4)
    sources = [{"kind": "folder", "name": "photos", "path": str(tmp_path / "photos")}]
    for name in ("first", "second"):
        urls = [server.url(f"/seed.png?{n}", "robots_404_html") for n in range(4)]
        (tmp_path / f"{name}.txt").write_text("\n".join(urls))
        sources.append({"kind": "urls", "name": name, "list": str(tmp_path / f"{name}.txt")})
    allow = [f"127.0.0.1:{server.ports['robots_404_html']}"]
    config = {"sources": sources, "downloads": {"allow": allow}, "fragments": {"inputs": 2}, "annotate": []}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    before = server.requests["robots_404_html/robots.txt"]
    run_pipeline(load_config(tmp_path / "config.yaml"), tmp_path / "run")
    assert server.requests["robots_404_html/robots.txt"] == before + 1
    assert len(commands.committed(tmp_path / "run", "downloads")) == 4
