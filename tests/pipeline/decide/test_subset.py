"""S6 sorts rows by their scores: text rendering, portraits, everything else."""

from __future__ import annotations

import pytest

from configs import UserError
from pipeline.decide.subset import SubsetConfig, subset
from tests.pipeline.rows import table


def test_rows_are_sorted_by_text_then_by_faces() -> None:
    frame = table(
        {"face_area": 0.1},
        {"face_area": 0.001},
        {"face_area": 0.1, "text_level": 4},
        {"text_level": 1, "text_area": 0.2},
        {"recipe": "pure", "text_level": 1},
        {"text_level": None},
    )
    found = frame.select(subset=subset(SubsetConfig(), frame.schema))["subset"].to_list()
    assert found == ["portrait", "general", "text", "text", "text", "general"]


def test_conditions_are_expressions_of_ones_own() -> None:
    frame = table({"clarity": 5.0}, {"clarity": 500.0})
    found = frame.select(subset=subset(SubsetConfig(portrait="clarity > 100"), frame.schema))["subset"]
    assert found.to_list() == ["general", "portrait"]


def test_a_wrong_condition_is_named() -> None:
    with pytest.raises(UserError, match=r"field 'subsets.text'"):
        SubsetConfig(text="1 +")
    with pytest.raises(UserError, match=r"field 'subsets.portrait'.*'facearea'.*face_area"):
        subset(SubsetConfig(portrait="facearea > 1"), table({}).schema)
