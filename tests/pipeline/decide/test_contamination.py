"""What repeats an evaluation is named, whatever its case and punctuation, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skimage.data
from PIL import Image

from configs import UserError, decode
from pipeline.annotators.measure import phash
from pipeline.decide.contamination import DecontaminateConfig, Evaluation, contaminated_by

ENGLISH = "A quiet bookstore with a sign that says 'READ', and a coffee cup on the table with the word 'MORNING'."
CHINESE = "傍晚的街角有一家面包店，橱窗上用金色的字写着“刚出炉的面包”。"


@pytest.fixture
def prompts(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "long.jsonl").write_text(
        json.dumps(
            {"prompt_id": 0, "category": "sign", "prompt": CHINESE, "text": ["刚出炉的面包"]}, ensure_ascii=False
        )
        + "\n",
        encoding="utf-8",
    )
    (tmp_path / "two.json").write_text(json.dumps({"data_list": [{"index": 0, "prompt": ENGLISH}]}), encoding="utf-8")
    (tmp_path / "short.txt").write_text(
        "a photo of a bench\n\na sign\nIt's Zoe's dogs' own quiet life\n", encoding="utf-8"
    )
    return tuple(str(tmp_path / name) for name in ("long.jsonl", "two.json", "short.txt"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (ENGLISH, "two.json:1"),
        ("Stock photo: A QUIET bookstore, with a sign that says READ and a coffee cup...", "two.json:1"),
        ("A quiet bookstore with a sign that says 'READ', and a dog", None),  # 11 words of it
        (ENGLISH.replace("sign that", "sign <b>that</b>").replace("'", "&quot;"), "two.json:1"),
        ("\u200b".join(ENGLISH), "two.json:1"),
        (ENGLISH.replace("quiet", "qui\u00adet").replace("coffee", "cofféé"), "two.json:1"),
        ("It’s Zoë's dogs' own quiet life", "short.txt:4"),
        ("its zoes dogs own quiet life", "short.txt:4"),
        ("it s zoe s dogs own quiet life", "short.txt:4"),
        ("街角有一家面包店", "long.jsonl:1"),
        ("街\u200b角有&nbsp;一家<br/>麵包店", "long.jsonl:1"),
        ("剛出爐的麵包", "long.jsonl:1"),
        ("街角 有一家，面包　店", "long.jsonl:1"),
        ("街角有一家面包", None),  # 7 characters
        ("刚出炉的面包", "long.jsonl:1"),  # the whole of a shorter text
        ("刚出炉的面包和一只可爱的小猫咪", None),
        ("A photo of a bench.", "short.txt:1"),
        ("a photo of a bench in the park", None),
        ("a sign", None),  # too little to say
        ("", None),
    ],
)
def test_runs_of_words_and_characters(prompts: tuple[str, ...], text: str, name: str | None) -> None:
    evaluation = Evaluation(DecontaminateConfig(prompts=prompts))
    assert evaluation.names([["a dog on a sofa"], [], ["一只狗", text]]) == [None, None, name]


def test_lengths_of_runs_are_settings(prompts: tuple[str, ...]) -> None:
    evaluation = Evaluation(DecontaminateConfig(prompts=prompts, ngram_zh=4, ngram_en=3))
    assert evaluation.names([["橱窗上用"], ["on the table"], ["橱窗上"]]) == ["long.jsonl:1", "two.json:1", None]


def test_pictures_are_known_by_their_hash(tmp_path: Path) -> None:
    Image.fromarray(skimage.data.coffee()).save(tmp_path / "coffee.png")
    evaluation = Evaluation(DecontaminateConfig(pictures=(str(tmp_path),)))
    small = np.asarray(Image.fromarray(skimage.data.coffee()).resize((300, 200)))
    hashes = np.array([phash(skimage.data.chelsea()), phash(small), 0], np.uint64)
    assert evaluation.names([[], [], []], hashes) == [None, "coffee.png", None]


def test_captions_and_read_text_of_rows_are_looked_at(prompts: tuple[str, ...]) -> None:
    captions = pl.Series([[{"text": "a dog"}, {"text": CHINESE}], None, [{"text": "a cat"}]])
    text = pl.Series([None, ENGLISH.upper(), "EXIT"], dtype=pl.String)
    hashes = pl.Series([1, None, 2], dtype=pl.UInt64)
    found = contaminated_by(captions, text, hashes, Evaluation(DecontaminateConfig(prompts=prompts)))
    assert found.to_list() == ["long.jsonl:1", "two.json:1", None]
    assert contaminated_by(captions, text, hashes, Evaluation(DecontaminateConfig())).to_list() == [None] * 3


def test_the_digest_covers_what_files_hold(prompts: tuple[str, ...], tmp_path: Path) -> None:
    config = DecontaminateConfig(prompts=prompts)
    before = Evaluation(config).digest
    assert Evaluation(config).digest == before
    (tmp_path / "short.txt").write_text("a photo of a cat\n", encoding="utf-8")
    assert Evaluation(config).digest != before


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"prompt", r"expected \.txt, \.json or \.jsonl"),
        ("a.json", b"{", "cannot be read"),
        ("a.json", b'{"x": [1, "a"]}', "holds no prompts"),
        ("a.txt", b"\xff\xfe", "cannot be read"),
    ],
)
def test_files_that_hold_no_prompts_are_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        Evaluation(DecontaminateConfig(prompts=(str(tmp_path / name),))).names([["a"]])
    with pytest.raises(UserError, match=r"decontaminate\.prompts\.0': 'no/such/file' does not exist"):
        decode({"prompts": ["no/such/file"]}, DecontaminateConfig, "config x").check()
