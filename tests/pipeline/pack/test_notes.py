"""What is noted of a shard is what the shard says, for its version alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from configs.files import created_once, replaced
from pipeline.pack.notes import describe, noted, remove_notes, sha256_of, write_note

if TYPE_CHECKING:
    from tests.object_store import Proxy


def test_a_note_stands_for_the_version_it_names(small_run: Path, bucket: Path, proxy: Proxy) -> None:
    here, *_ = sorted((small_run / "dataset" / "data").iterdir())
    there = bucket / "dataset" / "data" / here.name
    with created_once(there) as copy:
        copy.write_bytes(here.read_bytes())
    expected, digest = describe(here), sha256_of(here)
    assert describe(there).equals(expected), "without a note the shard itself is read"
    assert sha256_of(there) == digest
    write_note(bucket / "dataset", there, noted(here, here.name))
    proxy.asked.clear()
    assert describe(there).equals(expected)
    assert sha256_of(there) == digest
    assert [path for method, path in proxy.asked if method == "GET" and "/data/" in path] == []
    with replaced(there) as copy:
        copy.write_bytes(here.read_bytes() + b"PAR1")
    assert sha256_of(there) != digest, "the note is of another version"
    remove_notes(bucket / "dataset", [here.name])
    assert len(list((bucket / "dataset" / "notes").iterdir())) == 1
    remove_notes(bucket / "dataset", [])
    assert list((bucket / "dataset" / "notes").iterdir()) == []
