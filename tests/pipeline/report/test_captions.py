"""Verdicts on captions, as the report tells them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.report.captions import captions
from pipeline.report.tables import read_run


class Given:
    """Compacted parts of this many rows each, of which every tenth is refused."""

    def __init__(self, *lengths: int) -> None:
        self.parts = tuple(range(len(lengths)))
        self._lengths, self.opened = lengths, set()

    def length(self, part: int) -> int:
        return self._lengths[part]

    def rows(self, part: int, columns: list[str]) -> pa.Table:
        return pa.table({"id": [f"{part}-{i}" for i in range(self._lengths[part])]})

    def captions(self, part: int) -> pa.ChunkedArray:
        self.opened.add(part)
        texts = ["IMG_1234.jpg" if i % 10 == 0 else "a red kite over the sea" for i in range(self._lengths[part])]
        return pa.chunked_array([[[{"text": text, "tokens": 8, "source": "raw", "language": "en"}] for text in texts]])


def test_each_operator_has_its_share_and_examples() -> None:
    given = Given(1000, 0, 3000, 40)
    told = captions(given, {})  # type: ignore[arg-type]
    assert given.opened == {0, 2, 3}
    assert (told.looked, told.rows) == (1000 + 1365 + 40,) * 2
    passed, refused = told.verdicts
    assert (passed.operator, refused.operator) == ("", "S3.invalid")
    assert passed.count + refused.count == told.looked
    assert refused.share == pytest.approx(0.1, abs=0.01)
    assert {one.text for one in refused.examples} == {"IMG_1234.jpg"}
    assert (len(passed.examples), passed.examples[0].facts["tokens"]) == (4, 8)


def test_the_config_says_what_is_refused(run: Path) -> None:
    told = read_run(run)
    counts = {verdict.operator: verdict.count for verdict in captions(told.compacted, told.config).verdicts}
    short = {verdict.operator for verdict in captions(told.compacted, {"captions": {"max_tokens": 6}}).verdicts}
    assert counts[""] >= 40
    assert "S3.length" in short - set(counts)
