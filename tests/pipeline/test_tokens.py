"""Captions are counted in the tokens of the real tokenizer."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from configs.prompts import CLOSING_TOKENS
from model.condition import Conditioner
from model.tokenizer import write_tokenizer
from pipeline.tokens import count_tokens, finish_captions
from tests.model.folders import random_folder

TEXTS = [
    "A smiling astronaut's space suit, in 1969!",
    "请在背景上显示“春眠不觉晓”，字号 48。\n\n第二行",
    "  spaces   and\ttabs \r\n ÜBER naïve 日本語 한국어 🙂",
    "de\u0301compose\u0301",
    "",
]


def test_counts_are_those_of_the_checkpoint_s_tokenizer(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert count_tokens(TEXTS) == [len(tokenizer.encode(text, add_special_tokens=False)) for text in TEXTS]


def test_the_template_closes_with_as_many_tokens_as_the_limits_count() -> None:
    conditioner = Conditioner.load(random_folder())
    counted = [n + CLOSING_TOKENS for n in count_tokens(TEXTS)]
    assert conditioner.lengths(TEXTS) == counted


def test_flat_columns_count_valid_captions_only() -> None:
    given = [{"text": "A cat", "source": "raw"}, {"text": "一只猫", "source": "raw"}, {"text": "x", "invalid": "S3"}]
    row = finish_captions(given)
    assert (row["n_captions"], row["caption_languages"]) == (2, "en+zh")
    assert [c["tokens"] for c in row["captions"]] == count_tokens(["A cat", "一只猫", "x"])
    assert finish_captions([]) == {"captions": [], "n_captions": 0, "caption_languages": None}
