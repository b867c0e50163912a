"""The ledger: every input once, fixed slices, never listed again."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import RunFailed, UserError
from pipeline.parquet import read_table
from pipeline.store import ledger
from pipeline.store.ledger import Entry, FragmentsConfig, fragments, read_fragment, sample_id, slices, write_ledger

sizes = st.lists(st.none() | st.integers(0, 3_000_000), max_size=60)


def listed_ids(folder: Path) -> list[str]:
    """The id of every input of a source, once, in ledger order."""
    return [
        id_
        for part in ledger.parts(folder)
        if not part.retry
        for id_ in read_table(part.path, ["id"])["id"].to_pylist()
    ]


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
    rows = [row for f in found for row in read_fragment(path, f)]
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
    assert [row["ordinal"] for row in read_fragment(path, found[299])[-3:]] == [0, 1, 1]


def test_ids_tell_source_uri_and_ordinal_apart() -> None:
    ids = {sample_id(*parts) for parts in (("a", "b1", 0), ("a", "b", 10), ("ab", "1", 0), ("a", "b", 1))}
    assert len(ids) == 4
    assert all(len(id_) == 32 and set(id_) <= set("0123456789abcdef") for id_ in ids)


def test_a_fragment_has_a_bound_that_arrow_can_hold() -> None:
    with pytest.raises(ValueError, match="field 'megabytes': must be at most 1000, found 1001"):
        FragmentsConfig(megabytes=1001)


def numbered(count: int) -> Iterator[Entry]:
    return (Entry(f"{i}.png") for i in range(count))


def test_a_part_is_there_before_the_next_one_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "PART", 2)
    asked = []

    def entries() -> Iterator[Entry]:
        for entry in numbered(11):
            asked.append(entry.uri)
            yield entry

    parts = ledger.write_parts(tmp_path / "s", "s", entries(), FragmentsConfig(inputs=2))
    first = next(parts)
    assert [f.name for f in first] == ["s-00000", "s-00001"]
    assert len(asked) < 9
    assert not ledger.is_listed(tmp_path / "s")
    assert [f.name for part in parts for f in part] == ["s-00002", "s-00003", "s-00004", "s-00005"]
    assert ledger.is_listed(tmp_path / "s")
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == ["00000.parquet", "00002.parquet", "00004.parquet"]
    assert [f.inputs for f in fragments(tmp_path / "s", "s")] == [2, 2, 2, 2, 2, 1]
    assert listed_ids(tmp_path / "s") == [sample_id("s", f"{i}.png", 0) for i in range(11)]


@pytest.mark.parametrize("now", [numbered(3), numbered(4), (Entry(f"{i % 7}.png") for i in range(1, 12))])
def test_a_listing_that_was_ended_goes_on_only_as_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: Iterator[Entry]
) -> None:
    monkeypatch.setattr(ledger, "PART", 2)
    config = FragmentsConfig(inputs=2)
    next(ledger.write_parts(tmp_path / "s", "s", numbered(11), config))
    with pytest.raises(RunFailed, match=r"00000\.parquet: the source was listed up to here and lists other inputs now"):
        write_ledger(tmp_path / "s", "s", now, config)
    write_ledger(tmp_path / "s", "s", numbered(11), config)
    write_ledger(tmp_path / "whole", "s", numbered(11), config)
    there, whole = (
        [row for f in fragments(folder, "s") for row in read_fragment(folder, f)]
        for folder in (tmp_path / "s", tmp_path / "whole")
    )
    assert there == whole


def test_an_id_that_a_source_gives_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"source 's': the id 'x' of 'b.png' is given twice"):
        write_ledger(tmp_path / "s", "s", [Entry("a.png", id="x"), Entry("b.png", id="x")], FragmentsConfig())


def test_what_is_tried_again_keeps_its_ids_in_fragments_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    write_ledger(folder, "s", [Entry(f"{i}.png", i, ["text"]) for i in range(5)], FragmentsConfig(inputs=3))
    rows = [row for f in fragments(folder, "s") for row in read_fragment(folder, f)]
    for number in (1, 2):
        ledger.write_retry(folder, "s", rows[1:4], FragmentsConfig(inputs=2))
        again = [f for f in fragments(folder, "s") if f.attempt == number + 1]
        assert [(f.name, f.inputs) for f in again] == [(f"s-r{number}-00000", 2), (f"s-r{number}-00001", 1)]
        found = [row for f in again for row in read_fragment(folder, f)]
        assert [{**row, "fragment": ""} for row in found] == [{**row, "fragment": ""} for row in rows[1:4]]
    assert ledger.is_listed(folder)
    assert len(listed_ids(folder)) == 5


def test_a_ledger_of_an_earlier_version_is_one_file(tmp_path: Path) -> None:
    write_ledger(tmp_path / "new", "s", numbered(5), FragmentsConfig(inputs=3))
    (tmp_path / "new" / "00000.parquet").rename(tmp_path / "s.parquet")
    folder = tmp_path / "s"
    assert ledger.is_listed(folder)
    ledger.write_retry(folder, "s", read_fragment(folder, fragments(folder, "s")[1]), FragmentsConfig())
    assert [f.name for f in fragments(folder, "s")] == ["s-00000", "s-00001", "s-r1-00000"]
    assert [row["uri"] for row in read_fragment(folder, fragments(folder, "s")[2])] == ["3.png", "4.png"]
