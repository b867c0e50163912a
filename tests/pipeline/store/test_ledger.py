"""The ledger: every input once, fixed slices, never listed again."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.ledger import Entry, FragmentsConfig, fragments, read_fragment, sample_id, slices, write_ledger

sizes = st.lists(st.none() | st.integers(0, 3_000_000), max_size=60)


@given(sizes, st.integers(1, 9), st.integers(1, 4))
def test_slices_are_whole_and_within_the_limits(sizes: list[int | None], inputs: int, megabytes: int) -> None:
    cuts = slices(sizes, FragmentsConfig(inputs, megabytes))
    assert [i for cut in cuts for i in cut] == list(range(len(sizes)))
    for cut in cuts:
        assert 1 <= len(cut) <= inputs
        assert len(cut) == 1 or sum(sizes[i] or 0 for i in cut) <= megabytes * 10**6


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


def test_ids_tell_source_uri_and_ordinal_apart() -> None:
    ids = {sample_id(*parts) for parts in (("a", "b1", 0), ("a", "b", 10), ("ab", "1", 0), ("a", "b", 1))}
    assert len(ids) == 4
    assert all(len(id_) == 32 and set(id_) <= set("0123456789abcdef") for id_ in ids)
