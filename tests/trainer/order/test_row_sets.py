"""Row numbers in two bytes each: what goes in comes out, by position, by span, by stratum."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.order.row_sets import BLOCK, RowSet, RowSets


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sets(st.integers(0, 5 * BLOCK), min_size=1, max_size=60), min_size=1, max_size=5), st.data())
def test_rows_come_out_as_they_went_in(strata: list[set[int]], data: st.DataObject) -> None:
    whole = [np.array(sorted(rows)) for rows in strata]
    found = []
    for rows in whole:
        found.append(RowSet())
        for piece in np.split(rows, np.searchsorted(rows, [2 * BLOCK, 3 * BLOCK])):  # as slices of a manifest come
            if len(piece):
                found[-1].add(piece)
    sets = RowSets(found)
    laid = np.concatenate(whole)
    assert sets.rows(np.arange(len(laid))).tolist() == laid.tolist()
    assert [sets.of(i).tolist() for i in range(len(whole))] == [rows.tolist() for rows in whole]
    first = data.draw(st.integers(0, len(laid) - 1))
    last = data.draw(st.integers(first + 1, len(laid)))
    assert sets.span(first, last).tolist() == laid[first:last].tolist()
