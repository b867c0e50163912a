"""Suites whose prompts lie in files that a user names; tiny files of the published form."""

import json
from pathlib import Path

import pytest

from configs import UserError
from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.suites.registry import open_suites

LONG = [
    {
        "category": "sign",
        "length": "short",
        "prompt": "a sign",
        "text": ["Open late"],
        "text_length": 2,
        "prompt_id": 0,
    },
    {
        "category": "label",
        "length": "long",
        "prompt": "标签",
        "text": ["8折", "特价"],
        "text_length": 4,
        "prompt_id": 1,
    },
]
CVTG = {
    "data_list": [
        {"index": 3, "prompt": "a cup with 'Tea' and 'Hot'", "carrier_list": ["cup"], "sentence_list": ["'Tea'"]},
        {"index": 4, "prompt": "a sign 'SALE NOW'", "carrier_list": ["sign"], "sentence_list": ["'SALE NOW'"]},
    ]
}


def items(suite: str, path: Path):
    (opened,) = open_suites([suite], EvaluateConfig(prompts={suite: str(path)}, size=(64, 64)))
    return opened.items()


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def test_long_text(tmp_path):
    found = items("long_text", write(tmp_path / "text_prompts.jsonl", LONG))
    assert [(i.id, i.group, i.texts) for i in found] == [("0", "en", ("Open late",)), ("1", "zh", ("8折", "特价"))]


def test_a_folder_of_files_names_them_in_ids(tmp_path):
    write(tmp_path / "text_prompts.jsonl", LONG[:1])
    write(tmp_path / "text_prompts_zh.jsonl", LONG[1:])
    assert [i.id for i in items("long_text", tmp_path)] == ["text_prompts-0", "text_prompts_zh-1"]


def test_cvtg(tmp_path):
    for folder in ("CVTG", "CVTG-Style"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "2.json").write_text(json.dumps(CVTG))
    found = items("cvtg", tmp_path)
    assert [i.id for i in found] == ["CVTG-2-3", "CVTG-2-4", "CVTG-Style-2-3", "CVTG-Style-2-4"]
    assert [(i.texts, i.group) for i in found[:2]] == [(("Tea", "Hot"), "2 texts"), (("SALE NOW",), "1 texts")]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{**LONG[0], "text": "Open"}], r"line 1: field 'text': a list is expected, found 'Open'"),
        ([{**LONG[0], "prompt_id": "0"}], r"field 'prompt_id': a whole number is expected"),
        ([{k: v for k, v in LONG[0].items() if k != "prompt"}], r"field 'prompt': text is expected, found nothing"),
        ([LONG[0], LONG[0]], r"two prompts have the id 0"),
        ([CVTG], r"line 1: field 'text'.*another suite's file"),
    ],
)
def test_another_form_is_one_clear_line(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        items("long_text", write(tmp_path / "p.jsonl", rows))


@pytest.mark.parametrize("content", ["[1]", '{"data_list": 3}', '{"data_list": [3]}', "{", "\x00", ""])
def test_a_file_that_is_no_cvtg(tmp_path, content):
    (tmp_path / "2.json").write_text(content)
    with pytest.raises(UserError, match=r"2\.json"):
        items("cvtg", tmp_path / "2.json")


@pytest.mark.parametrize("name", ["long_text", "cvtg"])
def test_missing_files(tmp_path, name):
    with pytest.raises(UserError, match=f"suite {name}: needs its prompt files"):
        open_suites([name], EvaluateConfig())[0].items()
    with pytest.raises(UserError, match="does not exist"):
        items(name, tmp_path / "nothing")
    with pytest.raises(UserError, match="holds no file"):
        items(name, tmp_path)
    (tmp_path / "x.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="is not UTF-8"):
        items(name, tmp_path / "x.jsonl")


def test_unknown_suite_names_the_known_ones():
    with pytest.raises(UserError, match="unknown suite 'poems'; allowed: glyphs, numbers, words, lines, chinese_word"):
        open_suites(["poems"], EvaluateConfig())
    with pytest.raises(UserError, match="named twice"):
        open_suites(["dense", "dense"], EvaluateConfig())
