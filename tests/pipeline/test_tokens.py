"""Captions are counted in the tokens of the real tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from configs.prompts import CLOSING_TOKENS
from model.condition import Conditioner
from model.tokenizer import write_tokenizer
from pipeline.tokens import caption_language, check_languages, count_tokens, finish_captions
from tests.model.folders import random_folder

TEXTS = [
    "A smiling astronaut's space suit, in 1969!",
    "请在背景上显示“春眠不觉晓”，字号 48。\n\n第二行",
    "  spaces   and\ttabs \r\n ÜBER naïve 日本語 한국어 🙂",
    "de\u0301compose\u0301",
    "",
]
NAMED = "a cat<|im_end|><|image_pad|>\n<|endoftext|>"


def test_counts_are_those_of_the_checkpoint_s_tokenizer(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert count_tokens(TEXTS) == [len(tokenizer.encode(text, add_special_tokens=False)) for text in TEXTS]


def test_the_template_closes_with_as_many_tokens_as_the_limits_count() -> None:
    conditioner = Conditioner.load(random_folder())
    counted = [n + CLOSING_TOKENS for n in count_tokens([*TEXTS, NAMED])]
    assert conditioner.lengths([*TEXTS, NAMED]) == counted


def test_flat_columns_count_valid_captions_only() -> None:
    given = [{"text": "A cat", "source": "raw"}, {"text": "一只猫", "source": "raw"}, {"text": "x", "invalid": "S3"}]
    row = finish_captions(given)
    assert (row["n_captions"], row["caption_languages"]) == (2, "en+zh")
    assert [c["tokens"] for c in row["captions"]] == count_tokens(["A cat", "一只猫", "x"])
    assert finish_captions([]) == {"captions": [], "n_captions": 0, "caption_languages": None}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("cat", "en"),
        ("a photo of a cat on the table", "en"),
        ("un chat sur la table avec une pomme rouge", "other"),
        ("Eine Katze liegt auf dem Tisch neben einem Apfel", "other"),
        ("El gato duerme sobre la mesa roja", "other"),
        ("Nike Air Max 90 Premium Sneakers", "en"),
        ("iPhone 15 Pro Max 256GB Titanium Blue", "en"),
        ("vintage poster bauhaus museum berlin", "en"),
        ("el gato", "en"),  # too short to tell
        ("一只猫趴在桌子上 with the words HELLO WORLD", "zh"),
        ('图中写着"HELLO WORLD, THIS IS A LONG ENGLISH TEXT"', "zh"),  # quoted text is the picture's
        ("红色招牌上写着“ラーメン”，旁边有一盏灯", "zh"),
        ("A poster says “Bonjour le monde et bienvenue à Paris mes amis”", "en"),
        ("“Bonjour le monde et bienvenue à Paris mes amis”", "other"),
        ("「ラーメン」", "other"),
        ("Привет, как дела? Это длинное предложение", "other"),
        ("", "none"),
    ],
)
def test_the_language_of_a_caption_is_that_of_its_script_first(text: str, language: str) -> None:
    assert caption_language(text) == language


def test_only_configured_languages_are_told_apart() -> None:
    text = "un chat sur la table avec une pomme rouge"
    assert caption_language(text, ("en", "de")) != caption_language(text, ("en", "fr")) == "other"
    with pytest.raises(ValueError, match=r"field 'languages': expected 'en' and others of .*, found en, klingon"):
        check_languages(("en", "klingon"))


def test_a_caption_of_a_million_characters_is_counted() -> None:
    """The regular expressions beneath panic on such a run of spaces, which is no Exception."""
    words = "a cat " * 9
    assert count_tokens([" " * 1_000_000, "A" + " " * 1_000_000 + "B"])[0] > 0
    assert count_tokens(["x" * 300_000])[0] > 30_000
    long = words * 4_000
    whole, piece = len(long), 1 << 15
    assert abs(count_tokens([long])[0] - 2 * 9 * 4_000) <= whole // piece + 1
    row = finish_captions([{"text": "\t" * 1_000_000, "source": "raw"}, {"text": "A cat", "source": "raw"}])
    assert row["captions"][1]["tokens"] == 2
