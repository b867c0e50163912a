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
        ("I'm sorry, but I can’t assist with that request.", 11, "S3.invalid"),
        ("Unfortunately, I am not able to describe people in pictures.", 11, "S3.invalid"),
        ("As a large language model, I only see text.", 11, "S3.invalid"),
        ("It seems no image was provided.", 7, "S3.invalid"),
        ("很抱歉，我不能识别图片中的人物。", 9, "S3.invalid"),
        ("作为一个人工智能，我看不到图片。", 9, "S3.invalid"),
        ("请上传一张图片，我会为您描述。", 9, "S3.invalid"),
        ("I don't have the ability to view images.", 9, "S3.invalid"),
        ("It looks like you forgot to attach the image.", 9, "S3.invalid"),
        ("I am Qwen, a large language model.", 9, "S3.invalid"),
        ("The image could not be loaded.", 9, "S3.invalid"),
        ("The picture is too blurry for me to describe.", 9, "S3.invalid"),
        ("Sure! Here is a caption for the image:", 9, "S3.invalid"),
        ("Here is my cat: she sleeps all day", 9, None),
        ("Here's the harbor of Lisbon at night", 9, None),
        ('{"Caption": "a cat"', 9, "S3.invalid"),
        ("```json", 3, "S3.invalid"),
        ("404 Not Found", 3, "S3.invalid"),
        ("无法识别图片内容", 9, "S3.invalid"),
        ("图片加载失败", 9, "S3.invalid"),
        ("您好，我是通义千问，由阿里云开发的AI助手。", 9, "S3.invalid"),
        ("我还没有学会回答这个问题", 9, "S3.invalid"),
        ("抱歉，我無法提供這張圖片的描述。", 9, "S3.invalid"),
        ("作為一個AI語言模型，我沒有辦法看到圖片。", 9, "S3.invalid"),
        ("點擊查看大圖", 9, "S3.invalid"),
        ("暂无图片", 9, "S3.invalid"),
        ("我还没有学会游泳，先在岸边坐坐", 9, None),
        ("对不起，我不能没有你，专辑封面", 9, None),
        ("我是一名摄影师，这是我的照片", 9, None),
        ("We cannot see the top of the tower in the fog.", 12, None),
        ("A sign that says sorry", 5, None),
        ("A record sleeve with the title 'I can't help falling in love'", 12, None),
        ("Elvis: I can't help falling in love", 12, None),
        ('A screen that reads "Sorry, I cannot provide a caption"', 12, None),
        ("海报上写着“抱歉，我们无法营业”", 12, None),
        ("没有办法拒绝的美味蛋糕", 9, None),
        ("IMG_20240131_1200.jpg", 12, "S3.invalid"),
        ("https://example.org/a/b.png", 12, "S3.invalid"),
        ("微信图片_20240131", 9, "S3.invalid"),
        ("<br/>", 3, "S3.invalid"),
        ("12345", 5, "S3.invalid"),
        ("Untitled", 2, "S3.invalid"),
        ("Untitled (Skull), a painting by Basquiat", 9, None),
        ("Picture of a cat", 4, None),
        ("图片里有一只猫", 5, None),
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


def test_a_raw_caption_that_does_not_fit_its_picture_is_refused() -> None:
    judge = CaptionJudge(CaptionConfig(min_align_zh=0.2, min_align_siglip=0.1))
    english = {"text": "a cat", "language": "en", "source": "raw"}
    assert judge.verdict(english | {"align_siglip": 0.05, "align_zh": 0.5}) == "S3.alignment"
    assert judge.verdict(english | {"align_siglip": 0.15, "align_zh": 0.0}) is None
    assert judge.verdict(english) is None  # nobody has scored it
    chinese = {"text": "一只猫", "language": "zh", "source": "raw"}
    assert judge.verdict(chinese | {"align_siglip": 0.15, "align_zh": 0.1}) == "S3.alignment"
    assert judge.verdict(chinese | {"align_siglip": 0.15, "align_zh": 0.2}) is None
    with pytest.raises(UserError, match="min_align_zh"):
        decode({"min_align_zh": 2}, CaptionConfig, "config x")


def test_a_split_is_what_its_captions_come_from() -> None:
    judge = CaptionJudge(CaptionConfig(sources=("recaption", "fused")))
    captions = [{"text": "a cat", "tokens": 2, "language": "en", "source": s} for s in ("raw", "recaption", "fused")]
    assert [c["invalid"] for c in judge.judge(captions) or ()] == ["S3.source", None, None]


def test_a_wrong_pattern_is_named() -> None:
    with pytest.raises(UserError, match=r"field 'invalid\.0': '\(' is no regular expression"):
        decode({"invalid": ["("]}, CaptionConfig, "config x")
