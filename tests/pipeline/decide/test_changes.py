"""What other thresholds would change is rows by kind, and nothing is written."""

from __future__ import annotations

import polars as pl

from pipeline.decide.changes import compare, summary


def frame(*rows: tuple[str, int, str | None]) -> pl.DataFrame:
    schema = {"id": pl.String, "stage_to": pl.Int8, "stopped_by": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(uri=pl.col("id") + ".png")


def test_changes_are_grouped_by_what_happens() -> None:
    before = frame(("a", 7, None), ("b", 7, None), ("c", 0, "S1.bytes"), ("d", 4, "S5.blocks"), ("e", 7, None))
    after = frame(
        ("a", 1, "S2.luma"), ("b", 1, "S2.luma"), ("c", 7, None), ("d", 4, "S5.resolution"), ("e", 0, "S1.nsfw")
    )
    groups = compare(before, after)
    assert [(g.title, g.count, g.rows["id"].to_list()) for g in groups] == [
        ("only to S1 by S2.luma (now to S7)", 2, ["a", "b"]),
        ("kept again, up to S7 (now stopped by S1.bytes)", 1, ["c"]),
        ("rejected by S1.nsfw (now to S7)", 1, ["e"]),
    ]
    rows = summary(groups, before, after)
    assert rows[0].startswith("kept: 4 now, 4 then")
    assert rows[1].endswith("for example a.png, b.png")


def test_no_change_is_told_as_such() -> None:
    same = frame(("a", 7, None))
    assert summary(compare(same, same), same, same)[-1] == "no sample would change its stages"
