"""The ledger: every input once, fixed slices, never listed again."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.ledger import Entry, FragmentsConfig, fragments, read_fragment, sample_id, slices, write_ledger

sizes = st.lists(st.none() | st.integers(0, 3_000_000), max_size=60)


@given(sizes, st.integers(1, 9), st.integers(1, 4))
def test_slices_are_whole_and_within_the_limits(sizes: list[int | None], inputs: int, megabytes: int) -> None:
    entries = [Entry(str(i), size) for i, size in enumerate(sizes)]
    cuts = list(slices(entries, FragmentsConfig(inputs, megabytes)))
    assert [entry for cut in cuts for entry in cut] == entries
    for cut in cuts:
        assert 1 <= len(cut) <= inputs
        assert len(cut) == 1 or sum(entry.bytes or 0 for entry in cut) <= megabytes * 10**6


def test_a_ledger_holds_every_entry_and_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger" / "photos.parquet"
    entries = [Entry("a.png", 10, ["A"]), Entry("b.png", 20), Entry("a.png", 10), Entry("c.png", None, refused="why")]
    write_ledger(path, "photos", entries, FragmentsConfig(inputs=3))
    write_ledger(path, "photos", entries[:1], FragmentsConfig())
    found = fragments(path, "photos")
    assert [(f.name, f.inputs) for f in found] == [("photos-00000", 3), ("photos-00001", 1)]
    rows = [row for f in found for row in read_fragment(path, f.index)]
    assert [(r["uri"], r["ordinal"], r["bytes"], r["fragment"]) for r in rows] == [
        ("a.png", 0, 10, "photos-00000"),
        ("b.png", 0, 20, "photos-00000"),
        ("a.png", 1, 10, "photos-00000"),
        ("c.png", 0, None, "photos-00001"),
    ]
    assert rows[0]["captions"] == ["A"]
    assert rows[3]["refused"] == "why"
    assert len({r["id"] for r in rows}) == 4


def test_a_ledger_of_any_length_stays_out_of_memory(tmp_path: Path) -> None:
    """Measured over the last 30,000 of 300,000 rows, because measuring is slow; held, they would take over 10 MB."""
    count, path = 300_000, tmp_path / "many.parquet"

    def entries() -> Iterator[Entry]:
        for i in range(count):
            if i == count - 30_000:
                tracemalloc.start()
            yield Entry(f"https://example.org/{i % (count - 2):09d}.png", i)

    try:
        write_ledger(path, "many", entries(), FragmentsConfig(inputs=1000, megabytes=1000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0 < peak < 2_500_000
    found = fragments(path, "many")
    assert [f.inputs for f in found] == [1000] * 300
    assert [row["ordinal"] for row in read_fragment(path, 299)[-3:]] == [0, 1, 1]


def test_ids_tell_source_uri_and_ordinal_apart() -> None:
    ids = {sample_id(*parts) for parts in (("a", "b1", 0), ("a", "b", 10), ("ab", "1", 0), ("a", "b", 1))}
    assert len(ids) == 4
    assert all(len(id_) == 32 and set(id_) <= set("0123456789abcdef") for id_ in ids)


def test_a_fragment_has_a_bound_that_arrow_can_hold() -> None:
    with pytest.raises(ValueError, match="field 'megabytes': must be at most 1000, found 1001"):
        FragmentsConfig(megabytes=1001)
