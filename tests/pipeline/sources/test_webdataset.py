"""Tars as they should be, and as they are: every member ends as a row or as a reason, and nothing leaves the tar."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import UserError, decode
from configs.pictures import Limits
from pipeline.config import PipelineConfig
from pipeline.sources import WebDatasetSource
from pipeline.sources.columns import CaptionColumn
from pipeline.sources.tar import DamagedTar, Member, members
from tests.pipeline.hostile import encode, picture
from tests.pipeline.sources.listing import collected, listed, texts

PNG = encode(picture(40, 30, seed=1), "PNG")
Content = Iterable[tuple[str | tarfile.TarInfo, bytes]]


def tar(path: Path, content: Content, form: int = tarfile.PAX_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as file:
        for name, data in content:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = info.size or len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def source(pattern: Path, **fields: Any) -> WebDatasetSource:
    return WebDatasetSource(kind="webdataset", name="web", tars=str(pattern), **fields)


def sample(key: str, caption: str = "A cat", **about: Any) -> list[tuple[str, bytes]]:
    return [(f"{key}.png", PNG), (f"{key}.txt", caption.encode()), (f"{key}.json", json.dumps(about).encode())]


def test_members_of_one_key_are_a_picture_and_what_is_said_of_it(tmp_path: Path) -> None:
    about = {"alt": ["一只猫", "猫"], "license": "CC0-1.0", "sha256": hashlib.sha256(PNG).hexdigest().upper()}
    about |= {"meta": {"score": 0.5}, "url": "https://example.org/猫.png"}
    tar(tmp_path / "b/1.tar", [*sample("000", "A cat\nasleep", **about), *sample("001", "", sha256=about["sha256"])])
    tar(tmp_path / "a.tar", sample("x/y.z/000", sha256=about["sha256"]))
    made = source(
        tmp_path / "**/*.tar",
        captions=(".txt", CaptionColumn("json.alt", "recaption")),
        license="json.license",
        keep=("json.meta.score", "json.url"),
        sha256="json.sha256",
    )
    rows, failed = collected(made)
    assert failed == {}
    assert list(rows) == ["a.tar/x/y.z/000.png", "b/1.tar/000.png", "b/1.tar/001.png"]
    row = rows["b/1.tar/000.png"]
    assert texts(row) == [("A cat\nasleep", "raw", None), ("一只猫", "recaption", None), ("猫", "recaption", None)]
    assert (row["origin"], row["license"], row["width"], row["image"]["bytes"]) == ("webdataset", "CC0-1.0", 40, PNG)
    assert json.loads(row["extra"]) == {"json.meta.score": 0.5, "json.url": "https://example.org/猫.png"}
    assert (rows["b/1.tar/001.png"]["captions"], rows["b/1.tar/001.png"]["license"]) == ([], "unknown")


def test_a_picture_without_texts_and_texts_without_a_picture(tmp_path: Path) -> None:
    tar(
        tmp_path / "a.tar", [("000.jpg", PNG), ("001.txt", b"x"), ("002.JPG", PNG), ("README", b"x"), ("._a.png", b"x")]
    )
    rows, remarks = listed(source(tmp_path / "*.tar"))
    assert [row["uri"] for row in rows] == ["a.tar/000.jpg", "a.tar/002.JPG"]
    assert remarks == ["1 samples have no picture and are no inputs"]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_and_foreign_names_are_read_in_every_format(tmp_path: Path, form: int) -> None:
    names = ["f" * 60 + "/" + "x" * 90 + ".png", "照片/猫.png"]
    names += ["d" * 120 + "/" + "x" * 150 + ".png"] if form != tarfile.USTAR_FORMAT else []
    path = tar(tmp_path / "a.tar", [(name, PNG) for name in names], form)
    assert [m.name.decode() for m in members(bytes(path))] == names
    rows, failed = collected(source(path))
    assert (list(rows), failed) == ([f"a.tar/{name}" for name in names], {})


def special(name: str, kind: bytes, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in fields.items():
        setattr(info, key, value)
    return info, b""


def test_what_is_no_file_or_wants_out_is_refused(tmp_path: Path) -> None:
    sparse, plain = tarfile.TarInfo("sparse.png"), tarfile.TarInfo("/etc/plain.png")
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "holes.png"}
    content = [
        special("link.png", tarfile.SYMTYPE, linkname="/etc/passwd"),
        special("hard.png", tarfile.LNKTYPE, linkname="../secret.png"),
        special("pipe.png", tarfile.FIFOTYPE),
        special("tty.png", tarfile.CHRTYPE),
        special("folder.png", tarfile.DIRTYPE),
        ("../../up.png", PNG),
        (plain, PNG),
        (sparse, PNG),
        ("last.png", PNG),
        special("last.txt", tarfile.SYMTYPE, linkname="/etc/passwd"),
    ]
    rows, failed = collected(source(tar(tmp_path / "a.tar", content)))
    assert failed == {
        "a.tar/link.png": "a link inside the archive is not followed",
        "a.tar/hard.png": "a link inside the archive is not followed",
        "a.tar/pipe.png": "not a regular file: a pipe",
        "a.tar/tty.png": "not a regular file: a device",
        "a.tar/../../up.png": "its name leads out of the archive",
        "a.tar/holes.png": "a sparse file inside an archive is not read",
    }
    assert list(rows) == ["a.tar/etc/plain.png", "a.tar/last.png"]
    assert texts(rows["a.tar/last.png"]) == [("", "raw", "S3.unreadable")]


def test_two_members_of_one_name_are_not_chosen_from(tmp_path: Path) -> None:
    content = [("a.png", PNG), ("a.png", PNG), ("b.png", PNG), ("b.txt", b"x"), ("b.txt", b"y"), *sample("c")]
    content += [("d.png", PNG), ("d.jpg", PNG), ("d.txt", b"both")]
    rows, failed = collected(source(tar(tmp_path / "a.tar", content)))
    assert failed == {
        "a.tar/a.png": "two members '.png' of one key",
        "a.tar/a.png again 1": "two members '.png' of one key",
        "a.tar/b.png": "two members '.txt' of one key",
    }
    assert [(uri, len(row["captions"])) for uri, row in rows.items()] == [
        *(("a.tar/c.png", 1), ("a.tar/d.png", 1), ("a.tar/d.jpg", 1))
    ]


def test_captions_that_cannot_be_read_cost_no_picture(tmp_path: Path) -> None:
    content = [("a.png", PNG), ("a.txt", "一只猫".encode("gb18030")), ("a.json", b"{"), ("b.png", PNG), ("b.txt", b"")]
    content += [("c.png", PNG), ("c.json", b'{"alt": 7}'), ("d.png", PNG), ("d.txt", b"x" * (1 << 20) + b"x")]
    content += [("e.png", PNG), ("e.json", rb'{"alt": "\ud83d half"}'), ("f.png", PNG), ("f.json", b"[" * 100_000)]
    content += [("g.png", PNG), ("g.json", b'{"alt": {"a": 1}}'), ("h.png", PNG), ("h.json", b'["alt"]')]
    rows, failed = collected(source(tar(tmp_path / "a.tar", content), captions=("txt", "json.alt")))
    assert failed == {}
    assert {uri[6]: [c.get("invalid") for c in row["captions"]] for uri, row in rows.items()} == {
        "a": ["S3.encoding", "S3.unreadable"],
        "b": [],
        "c": ["S3.unreadable"],
        "d": ["S3.length"],
        "e": ["S3.encoding"],
        "f": ["S3.unreadable"],
        "g": ["S3.unreadable"],
        "h": [],
    }
    assert all(row["n_captions"] == 0 for row in rows.values())


def test_a_checksum_is_verified(tmp_path: Path) -> None:
    content = [*sample("a", sha="00"), *sample("b"), *sample("c", sha=hashlib.sha256(PNG).hexdigest())]
    rows, failed = collected(source(tar(tmp_path / "a.tar", content), sha256="json.sha"))
    assert list(rows) == ["a.tar/c.png"]
    assert failed["a.tar/a.png"].endswith("the column 'json.sha' says 00")
    assert failed["a.tar/b.png"] == "the column 'json.sha' has no checksum to verify it by"


def damaged(tmp_path: Path) -> bytes:
    return tar(tmp_path / "whole.tar", [*sample("000"), *sample("001"), *sample("002")]).read_bytes()


def test_a_tar_that_is_cut_anywhere_keeps_what_lies_before(tmp_path: Path) -> None:
    whole = damaged(tmp_path)
    found = list(members(bytes(tmp_path / "whole.tar")))
    closing = found[-1].offset + -(-found[-1].size // 512) * 512
    path = tmp_path / "cut.tar"
    for cut in (0, 100, 512, 700, found[3].offset - 200, found[3].offset + 10, found[6].offset, closing):
        path.write_bytes(whole[:cut])
        rows, failed = collected(source(path))
        before = sum(m.offset + m.size <= cut for m in found if m.name.endswith(b".png"))
        assert len(rows) == before, cut
        assert failed["cut.tar"].startswith("the tar is not read to its end: "), cut
        assert all(
            texts(row) in ([("A cat", "raw", None)], [], [("", "raw", "S3.unreadable")]) for row in rows.values()
        )
    path.write_bytes(whole[: closing + 512])  # one closing block will do
    assert len(collected(source(path))[0]) == 3


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (header("x", 10 * 2**30, tarfile.XHDTYPE), "a header of 10,737,418,240 bytes"),
        (header("x", 10 * 2**30, tarfile.GNUTYPE_LONGNAME), "a header of 10,737,418,240 bytes"),
        (header("x", 2**62, tarfile.XGLTYPE), "a header of "),
        (header("x", 600, tarfile.XHDTYPE) + b"z" * 1024, "an extended header that cannot be read"),
        (header("x", 20, tarfile.XHDTYPE) + b"9 path=aaaaaaaaaaaa\n".ljust(512, b"\0"), "an extended header"),
        (header("x", 20, tarfile.XHDTYPE) + b"20 size=-5000000000\n".ljust(512, b"\0"), "an extended header"),
        (header("x", 20, tarfile.XHDTYPE), "cut in the header at byte 0"),
        (b"x" * 512, "damaged at byte 0: invalid header"),
        (header("a.png", 600).replace(b"a.png", b"b.png") + b"z" * 1024, "damaged at byte 0: bad checksum"),
        (b"\x1f\x8b\x08" + b"\0" * 600, "compressed: unpack it first"),
        (b"", "the file is empty"),
        (b"<html>", "cut at byte 0"),
        (b"\0" * 4096, None),
    ],
)
def test_hostile_headers_cost_no_memory_and_end_in_one_row(tmp_path: Path, data: bytes, reason: str | None) -> None:
    tar(tmp_path / "good.tar", sample("000"))
    (tmp_path / "bad.tar").write_bytes(data)
    rows, failed = collected(source(tmp_path / "*.tar"))
    assert list(rows) == ["good.tar/000.png"]
    assert list(failed) == (["bad.tar"] if reason else [])
    assert reason is None or reason in failed["bad.tar"]


def test_a_member_of_ten_gigabytes_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(header("a.png", 10 * 2**30) + b"x" * 512)
    rows, failed = collected(source(tmp_path / "a.tar"))
    assert rows == {}
    assert list(failed) == ["a.tar/a.png", "a.tar"]
    assert "the archive is cut" in failed["a.tar/a.png"]


def test_a_large_member_is_not_read(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", [("a.png", PNG)])
    assert "limits.max_bytes = 10" in collected(source(path), Limits(max_bytes=10))[1]["a.tar/a.png"]


def test_a_tar_that_changed_since_it_was_listed_is_not_read(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", sample("000"))
    made = source(path)
    (entry,), _ = listed(made)
    path.write_bytes(path.read_bytes() + b"\0" * 512)
    with pytest.raises(Exception, match="its tar has changed since it was listed"):
        made.reader().read(entry, Limits())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_is_one_reason_and_ends(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    base = tmp_path_factory.getbasetemp()
    whole = bytearray(damaged(base))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + 1] = data.draw(st.binary(max_size=3))
    (base / "fuzzed.tar").write_bytes(whole)
    found: list[Member] = []
    with contextlib.suppress(DamagedTar):
        found.extend(members(bytes(base / "fuzzed.tar")))
    assert all(m.offset + m.size <= len(whole) or m.refused for m in found)


def test_where_there_is_nothing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"field 'sources\.0\.tars': expected tars; no file matches"):
        listed(source(tmp_path / "*.tar"))
    tar(tmp_path / "a.tar", [("a.txt", b"x")])
    with pytest.raises(UserError, match=r"field 'sources\.0\.tars': there are no pictures in"):
        listed(source(tmp_path / "*.tar"))


def test_it_stands_in_a_config_and_captions_have_sources() -> None:
    caption = {"column": "json.caption", "source": "fused"}
    tree = {"sources": [{"kind": "webdataset", "name": "web", "tars": "x/*.tar", "captions": ["txt", caption]}]}
    made = decode(tree, PipelineConfig, "config").sources[0]
    assert made == source(Path("x/*.tar"), captions=("txt", CaptionColumn("json.caption", "fused")))
    tree["sources"][0]["captions"] = [{"column": "txt", "source": "human"}]  # type: ignore[index]
    with pytest.raises(UserError, match=r"sources\.0\.captions\.0\.source.*'raw', 'recaption' or 'fused'.*human"):
        decode(tree, PipelineConfig, "config")
