"""What was listed keeps its ids, its order and its fragments: literal values of the code that sorted everything at once."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources import FolderSource
from pipeline.sources.files import path_of
from pipeline.store.ledger import FragmentsConfig, fragments, read_fragment, write_ledger

NAMES = (
    *(b"a/b.png", b"a.b/c.png", b"a.png", b"a-b.png", b"a/b/c.png", b"a0.png", b"b/a.png", b"b.txt", b"b.png"),
    *(b"ab/z.png", b"\xe9/caf\xe9.png", "照片/猫.png".encode(), b"100%.png", b"a/b.txt", b"Z.png", b"a b.png"),
    *(b"a!/x.png", b"z/z/z/z.png", b"a/b/.hidden", b"notes.txt"),
)
"""Names whose order differs when paths are compared by folder, by text, or without the slash of a folder."""

TABLE = "a.b/c.png\tA\tB\nz/z/z/z.png\tC\nghost.png\tD\nb.png\tE\nb.png\tF\n"

ORDER = [
    *("100%25.png", "Z.png", "a b.png", "a!/x.png", "a-b.png", "a.b/c.png", "a.png", "a/b.png", "a/b.txt"),
    *("a/b/c.png", "a0.png", "ab/z.png", "b.png", "b.txt", "b/a.png", "m.png", "notes.txt", "z/z/z/z.png"),
    *("照片/猫.png", "%E9/caf%E9.png"),
]
ONE_IGNORED = "1 files or folders match 'ignore' and are no inputs"
ONE_LINK = "1 link to a folder is not followed: it leads outside or in a circle"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for number, name in enumerate(NAMES):
        path = root / name.decode("utf-8", "surrogateescape")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (1 if name.endswith(b".txt") else 100_000 * (number % 7) + 1))
    (root / "m.png").symlink_to("nowhere")
    (root / "b.link").symlink_to("b")
    (tmp_path / "table.tsv").write_text(TABLE)
    return root


def ledger(source: FolderSource, path: Path) -> tuple[list[dict[str, object]], list[int], list[str]]:
    """Rows, inputs of each fragment, remarks."""
    remarks: list[str] = []
    write_ledger(path, "photos", source.entries("sources.0", remarks.append), FragmentsConfig(inputs=4, megabytes=1))
    found = fragments(path, "photos")
    return [row for f in found for row in read_fragment(path, f)], [f.inputs for f in found], remarks


COLUMNS = ("id", "source", "uri", "ordinal", "bytes", "fragment", "captions", "refused")
"""Those of that time."""


def digest(rows: list[dict[str, object]]) -> str:
    return hashlib.sha256(repr([[row[name] for name in COLUMNS] for row in rows]).encode()).hexdigest()


def test_a_plain_folder(folder: Path, tmp_path: Path) -> None:
    rows, cuts, remarks = ledger(FolderSource("folder", "photos", str(folder)), tmp_path / "l.parquet")
    assert [row["uri"] for row in rows] == ORDER
    assert rows[0]["id"] == "c1c60e130a667ddc6d36582aac3f879c"
    assert rows[-1]["id"] == "9fd4b4f06ba5428cd5eceffc61a7e5e0"
    assert cuts == [4, 4, 3, 4, 4, 1]
    assert digest(rows) == "2b7790fdb7b454e669ea0e5add4f072e4923b7ba8c4c95a29046d12b46913c37"
    assert remarks == [ONE_IGNORED, ONE_LINK]


def test_text_files_beside_pictures(folder: Path, tmp_path: Path) -> None:
    source = FolderSource("folder", "photos", str(folder), captions=".txt")
    rows, cuts, remarks = ledger(source, tmp_path / "l.parquet")
    assert [row["uri"] for row in rows] == [uri for uri in ORDER if uri not in ("a/b.txt", "b.txt")]
    assert {row["uri"]: row["captions"] for row in rows if row["captions"]} == {"a/b.png": ["x"], "b.png": ["x"]}
    assert cuts == [4, 4, 2, 4, 3, 1]
    assert digest(rows) == "3385359ce936ebedaff6d096571a45836f243d753bda90c0187c1f75872d7303"
    assert remarks == [ONE_IGNORED, ONE_LINK]


def test_a_table_and_links_that_are_followed(folder: Path, tmp_path: Path) -> None:
    source = FolderSource("folder", "photos", str(folder), captions=str(tmp_path / "table.tsv"), follow_links=True)
    rows, cuts, remarks = ledger(source, tmp_path / "l.parquet")
    assert [row["uri"] for row in rows] == [*ORDER[:12], "b.link/a.png", *ORDER[12:]]
    assert cuts == [4, 4, 3, 4, 4, 2]
    assert digest(rows) == "c819d91ea2b0b765a64ae785226ffb0da22c5e0329d1a6b1e1c33486ffa3265d"
    assert remarks == [ONE_IGNORED, "1 caption belongs to no file, the first to 'ghost.png'"]


def test_a_folder_is_walked_as_its_entries_are_asked_for(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    entries = FolderSource("folder", "photos", str(tmp_path)).entries("sources.0", print)
    assert next(entries).uri == "a/1.png"
    (tmp_path / "b" / "2.png").write_bytes(b"x")  # b is not read yet
    assert [entry.uri for entry in entries] == ["b/1.png", "b/2.png"]


@settings(deadline=None, max_examples=40)  # writes files
@given(st.sets(st.lists(st.text("a.!-0é", min_size=1, max_size=3), min_size=1, max_size=4).map(".d/".join), min_size=1))
def test_the_order_is_that_of_the_bytes_of_the_paths(names: set[str]) -> None:
    files = sorted(f"{name}{ending}".encode() for name in names for ending in (".d.png", ".png"))
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            path = Path(folder) / file.decode()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        entries = FolderSource("folder", "photos", folder, ignore=()).entries("sources.0", print)
        assert [path_of(entry.uri) for entry in entries] == files
