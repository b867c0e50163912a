"""Columns about captions are there for every row, computed where somebody asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from configs import decode
from pipeline import schema
from pipeline.config import PipelineConfig
from pipeline.decide.about_captions import about_captions, recipe
from pipeline.decide.contamination import DecontaminateConfig, Evaluation


def config(here: Path, **fields: Any) -> PipelineConfig:
    source = {"kind": "folder", "name": "photos", "path": str(here)}
    return decode({"sources": [source], **fields}, PipelineConfig, "test")


def columns() -> tuple[pl.Series, pl.Series, pl.Series]:
    keys = dict.fromkeys(field.name for field in schema.CAPTION)
    captions = [{**keys, "text": 'A sign says "EXIT"'}, {**keys, "text": 'Sorry, I cannot read "SHOP"'}]
    return pl.Series([captions, None]), pl.Series(["EXIT", None], dtype=pl.String), pl.Series([1, 2], dtype=pl.UInt64)


def test_quotations_are_compared_where_a_rule_asks(tmp_path: Path) -> None:
    nothing = Evaluation(DecontaminateConfig())
    silent = about_captions(*columns(), config(tmp_path), nothing)
    assert silent.to_pydict() == {"contaminated_by": [None, None], "quoted_read": [None, None]}
    rules = {"rules": [{"name": "S4.quoted", "stage": 4, "keep": "true", "applies_to": "quoted_read < 0.5"}]}
    asked = about_captions(*columns(), config(tmp_path, decide=rules), nothing)
    assert asked["quoted_read"].to_pylist() == [1.0, None]  # what the refusal quotes does not count
    assert asked.schema.equals(schema.arrow(schema.ABOUT_CAPTIONS))


def test_the_recipe_changes_with_what_the_columns_follow_from(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a photo of a bench\n", encoding="utf-8")
    prompts = {"prompts": [str(tmp_path / "prompts.txt")]}

    def now(**fields: Any) -> str:
        found = config(tmp_path, **fields)
        return recipe(found, Evaluation(found.decontaminate))

    before = now(decontaminate=prompts)
    assert now(decontaminate=prompts, dedup={"radius": 2}) == before
    assert now() != before
    (tmp_path / "prompts.txt").write_text("a photo of a chair\n", encoding="utf-8")
    assert now(decontaminate=prompts) != before
