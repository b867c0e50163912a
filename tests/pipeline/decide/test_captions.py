"""A bad caption is marked; the picture stays."""

from __future__ import annotations

import pytest

from configs import UserError, decode
from pipeline.decide.captions import CaptionConfig, CaptionJudge, flat


@pytest.mark.parametrize(
    ("text", "tokens", "verdict"),
    [
        ("A red barn", 3, None),
        ("Sorry, I cannot provide a caption for this image.", 11, "S3.invalid"),
        ("抱歉，我无法描述这张图片。", 9, "S3.invalid"),
        ("A sign that says sorry", 5, None),
        ("A cat on a mat.<|im_end|>", 9, "S3.invalid"),
        ("<|vision_start|><|image_pad|><|vision_end|> a cat", 9, "S3.invalid"),
        ("a pipe |> in <angles> and <| a | b |>", 12, None),
        ("  ", 1, "S3.empty"),
        ("\u200b\u200b", 2, "S3.empty"),
        ("\u2800\u3164 \ufe0f", 4, "S3.empty"),
        ("\u200d😀", 2, None),
        ("\ue000", 2, None),  # for private use: a font may have it
        ("word " * 600, 600, "S3.length"),
        ("word " * 507, 507, None),  # with the 5 tokens that close the template 512, all that the network sees
        ("word " * 508, 508, "S3.length"),
    ],
)
def test_verdicts(text: str, tokens: int, verdict: str | None) -> None:
    assert CaptionJudge(CaptionConfig()).verdict({"text": text, "tokens": tokens}) == verdict


def test_only_valid_captions_count() -> None:
    captions = [{"text": "图", "tokens": 1, "language": "zh"}, {"text": " ", "tokens": 1, "language": "en"}]
    assert flat(CaptionJudge(CaptionConfig()).judge(captions)) == (1, "zh")
    assert flat(None) == (0, None)


def test_a_wrong_pattern_is_named() -> None:
    with pytest.raises(UserError, match=r"field 'invalid\.0': '\(' is no regular expression"):
        decode({"invalid": ["("]}, CaptionConfig, "config x")
