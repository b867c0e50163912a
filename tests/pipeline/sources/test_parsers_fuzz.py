"""Lists, captions, configs and headers of any bytes: values, refusals by row, or one line for the user; nothing else."""

from __future__ import annotations

import datetime
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego
from yarl import URL

from configs import UserError, load
from configs.decoding.exif import orientation_of
from configs.load import parse_value, parse_yaml
from configs.pictures import DecodeError, Limits
from pipeline import schema
from pipeline.config import PipelineConfig
from pipeline.downloads.canonical import canonical, join
from pipeline.downloads.headers import opted_out, retry_after
from pipeline.downloads.reasons import Stopped
from pipeline.predicate import parse
from pipeline.sandbox.child import failed
from pipeline.sources import FolderSource, ParquetSource, Refused, Source, UrlsSource, WebDatasetSource
from pipeline.sources.columns import CaptionColumn, ListedSource, described
from pipeline.sources.edits import EditsSource
from pipeline.sources.tables import check_table, table_rows
from pipeline.store.commit import to_table
from pipeline.store.failures import REASONS
from pipeline.tokens import finish_captions
from tests.fuzz import CHANGES, damaged, fuzzed
from tests.pipeline.hostile import encode, picture

PNG = encode(picture(16, 12, seed=1), "PNG")
LIMITS = Limits(max_bytes=1_000_000, max_pixels=1_000_000)
ROWS = [{"url": f"http://h/{n}.png", "alt": 'A "cat", 猫', "n": n, "l": [1.5, None], "sha": "ab"} for n in range(5)]
TEXTS = st.text("aé猫\"\\'\n\r\t,;:/{}[]()#%&*!|> \0\ud800\ufeff0", max_size=60)
BYTES = st.binary(max_size=80) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def parquet(rows: list[dict[str, object]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=2)
    return sink.getvalue()


def tar() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in (("a.png", PNG), ("a.txt", b"A cat"), ("a.json", b'{"c": ["x"]}'), ("猫" * 60 + ".png", PNG)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


WHOLE = {
    ".csv": ("url,alt,n,l,sha\n" + '"http://h/1.png","A ""cat"", 猫",1,,ab\nb.png,x,,,\n').encode(),
    ".tsv": b"url\talt\tn\tl\tsha\nhttp://h/1.png\tA cat\t1\t\tab\n",
    ".jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    ".parquet": parquet(ROWS),
}
FILES = st.sampled_from(sorted(WHOLE)).flatmap(
    lambda ending: st.tuples(
        st.just(ending), BYTES | st.builds(damaged, st.just(WHOLE[ending]), CHANGES, st.floats(0.3, 1))
    )
)


def one_line(work: Callable[[], object]) -> None:
    """``work`` ends well or with one line for the user."""
    try:
        work()
    except UserError as error:
        assert 10 < len(str(error)) < 2000  # noqa: PT017 - others end well


def read_all(source: Source) -> None:
    """List a source and read all its inputs; each is a row or refused for a reason of the closed list."""
    source.check("sources.0")
    reader = source.reader()
    reader.setup()
    for number, entry in enumerate(source.entries("sources.0", lambda line: None)):
        row = {"id": str(number), "source": "s"} | vars(entry) | {"ordinal": number, "downloads": []}
        for url in source.urls(row):
            row["downloads"].append({"url": url, "reason": "ok", "error": None, "body": PNG})
        json.dumps([entry.uri, entry.refused, entry.captions, entry.place]).encode()
        entry.uri.encode()
        (entry.refused or "").encode()
        try:
            found = reader.read(row, LIMITS)
        except (Refused, DecodeError) as error:
            told = failed(error)
            assert told.reason in REASONS
            told.error.encode()
        else:
            assert found["width"] > 0
            rows = [found | {"id": "0", "source": "s", "uri": entry.uri} | finish_captions(found.get("captions") or ())]
            to_table(rows, schema.arrow(schema.COLLECTED))


@fuzzed(150)
@given(file=FILES)
def test_lists(folder: Path, file: tuple[str, bytes]) -> None:
    path = folder / f"list{file[0]}"
    path.write_bytes(file[1])

    def work() -> None:
        check_table(str(path), ("url", "alt"), "list")
        for number, row in enumerate(table_rows(str(path), ("url", "alt"), "list")):
            assert row.number == number

    one_line(work)


@fuzzed(150)
@given(file=FILES | BYTES.map(lambda data: (".txt", data)))
def test_lists_of_urls(folder: Path, file: tuple[str, bytes]) -> None:
    path = folder / f"urls{file[0]}"
    path.write_bytes(file[1])
    more = (
        {}
        if file[0] == ".txt"
        else {"captions": ("alt", CaptionColumn("l", "fused")), "keep": ("n", "l"), "license": "alt", "sha256": "sha"}
    )
    one_line(lambda: read_all(UrlsSource(kind="urls", name="u", list=str(path), **more)))


@fuzzed(100)
@given(file=FILES)
def test_tables_of_edits(folder: Path, file: tuple[str, bytes]) -> None:
    path = folder / f"edits{file[0]}"
    path.write_bytes(file[1])
    (folder / "b.png").write_bytes(PNG)
    columns = {"sources": ("url",), "instructions": ("alt",), "target": "url"}
    one_line(lambda: read_all(EditsSource(kind="edits", name="e", table=str(path), **columns)))


@fuzzed(100)
@given(changes=CHANGES, cut=st.just(1.0) | st.floats(0.3, 1))
def test_tables_with_pictures(folder: Path, changes: list[tuple[str, float, bytes]], cut: float) -> None:
    rows = [{"image": {"bytes": PNG, "path": "a.png"}, "alt": "A cat", "n": n} for n in range(4)]
    path = folder / "pictures.parquet"
    path.write_bytes(damaged(parquet(rows), changes, cut))
    made = ParquetSource(
        kind="parquet", name="p", files=str(path), image="image", captions=("alt",), keep=("n",), license="alt"
    )
    one_line(lambda: read_all(made))


@fuzzed(100)
@given(changes=CHANGES, cut=st.just(1.0) | st.floats(0.3, 1))
def test_tars(folder: Path, changes: list[tuple[str, float, bytes]], cut: float) -> None:
    path = folder / "a.tar"
    path.write_bytes(damaged(tar(), changes, cut))
    columns = {"captions": ("txt", "json.c"), "keep": ("json",)}
    one_line(lambda: read_all(WebDatasetSource(kind="webdataset", name="w", tars=str(path), **columns)))


@fuzzed(100)
@given(text=BYTES, table=BYTES | st.just(b"a.png,x\n"), ending=st.sampled_from([".csv", ".tsv"]), encoding=st.sampled_from(["utf-8", "gb18030", "utf-16", "utf-7"]))  # fmt: skip
def test_captions_of_a_folder(folder: Path, text: bytes, table: bytes, ending: str, encoding: str) -> None:
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    (pictures / "a.png").write_bytes(PNG)
    (pictures / "a.txt").write_bytes(text)
    (folder / f"captions{ending}").write_bytes(table)
    for captions in (".txt", str(folder / f"captions{ending}")):
        one_line(
            lambda captions=captions: read_all(
                FolderSource(kind="folder", name="f", path=str(pictures), captions=captions, encoding=encoding)
            )
        )


@fuzzed(150)
@given(text=TEXTS)
def test_configs(folder: Path, text: str) -> None:
    path = folder / "config.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    one_line(lambda: parse_yaml(text, "config"))
    one_line(lambda: parse_value(text, "--set"))
    one_line(lambda: load(path, PipelineConfig))
    whole = "sources: [{kind: folder, name: a, path: b}]\n"
    path.write_text(whole)
    one_line(lambda: load(path, PipelineConfig, [text]))
    one_line(lambda: load(path, PipelineConfig, [f"sources.0.path={text}", f"decide.rules={text}"]))


@fuzzed(200)
@given(text=st.lists(st.sampled_from(["a", "b", "'x'", "1", "-", "1e999", "and", "or", "not", "in", "is", "null", "None", "(", ")", "[", "]", "<", "==", ",", ".", "**", "lambda:", "~", "\0", "\n", "0x", "é"]), max_size=24).map(" ".join) | TEXTS)  # fmt: skip
def test_expressions(text: str) -> None:
    arrow = pa.schema([("a", pa.int32()), ("b", pa.string())])
    one_line(lambda: parse(text).arrow(arrow))


@fuzzed(200)
@given(text=TEXTS, base=st.sampled_from(["", "http://", "https://h", "//", "http://[", "/"]))
def test_urls_and_headers(text: str, base: str) -> None:
    for work in (lambda: canonical(base + text), lambda: join(URL("http://h/a/b"), base + text)):
        try:
            url = work()
        except Stopped as stopped:
            assert stopped.reason in ("bad_url", "redirects")  # noqa: PT017 - others end well
        else:
            assert canonical(str(url)) == url
    wait = retry_after(base + text, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    assert wait is None or wait >= 0
    assert isinstance(opted_out([text, base + text], [text], "robot"), str | None)
    rules = f"User-agent: *\nDisallow: {text}\n{text}".encode("utf-8", "replace").decode()  # as a file is decoded
    Protego.parse(rules).can_fetch("http://h/a", "robot")


@fuzzed(200)
@given(exif=st.binary(max_size=60) | st.builds(damaged, st.just(b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"), CHANGES))  # fmt: skip
def test_orientations(exif: bytes) -> None:
    assert 1 <= orientation_of(exif) <= 8


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@fuzzed(200)
@given(values=st.dictionaries(st.sampled_from(["c", "l", "k"]), VALUES))
def test_columns_of_any_kind(values: dict[str, object]) -> None:
    source = UrlsSource(kind="urls", name="u", list="x", captions=("c",), license="l", keep=("k", "c"))
    assert isinstance(source, ListedSource)
    try:
        row = described(source, values)
    except Refused as refused:
        assert refused.reason in REASONS  # noqa: PT017 - others end well
        return
    assert json.loads(row["extra"].encode()) is not None
    row["license"].encode()
    [(caption["text"] or "").encode() for caption in row["captions"]]
