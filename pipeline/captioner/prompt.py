"""The one-pass prompt: a caption and four facts about the picture in one JSON object (report 3.2 names its five keys)."""

from __future__ import annotations

from typing import Literal

PromptLanguage = Literal["en", "zh"]

KEYS = ("Caption", "Image Type", "Image Style", "Watermark List", "Abnormal Element")
"""Of the report, letter by letter, whatever the language of the caption."""

_FORM = """{
  "Caption": "...",
  "Image Type": "...",
  "Image Style": "...",
  "Watermark List": ["..."],
  "Abnormal Element": "yes" or "no"
}"""

_PROMPTS: dict[PromptLanguage, str] = {
    "en": f"""You annotate pictures for the training of an image generator. Look at the picture and answer with one JSON \
object of exactly these keys, and nothing around it:
{_FORM}
"Caption": in English, one paragraph: objects with their color, number, size, shape, material and place, the background, \
light and viewpoint. Quote all legible text in double quotes inside the sentence as \\"...\\", letter by letter in its own \
language, never translated, and say where it stands and how it looks. No guesses about what cannot be seen.
"Image Type": photograph, poster, slide, screenshot, painting, illustration, diagram, document ...
"Image Style": realistic, minimalist, watercolor, pixel art, vintage ...
"Watermark List": the text or a few words for every watermark, logo or stamp laid over the picture; [] without any.
"Abnormal Element": "yes" if there is a QR code, a barcode, a mosaic or anything blurred on purpose, else "no".""",
    "zh": f"""你为图像生成模型标注图片。请观察图片，只回答一个 JSON 对象，键必须与下面完全一致，前后不要有任何其他文字：
{_FORM}
"Caption"：用中文写一段话，描述物体及其颜色、数量、大小、形状、材质和位置，以及背景、光线和视角。图中能看清的文字都要用 \\"...\\" \
引在句中，逐字照抄原文，绝不翻译，并说明它在哪里、是什么样子。看不见的内容不要猜测。
"Image Type"：photograph、poster、slide、screenshot、painting、illustration、diagram、document 等。
"Image Style"：realistic、minimalist、watercolor、pixel art、vintage 等。
"Watermark List"：叠加在图片上的每个水印、标志或印章的文字或简短说明；没有则为 []。
"Abnormal Element"：有二维码、条形码、马赛克或人为模糊处理时为 "yes"，否则为 "no"。""",
}

_FUSED: dict[PromptLanguage, str] = {
    "en": "\nThe page that the picture came from says the following; use names and facts of it that fit what you see:\n",
    "zh": "\n图片来源页面上有如下说明；其中与画面相符的名称和事实请写进描述：\n",
}


def prompt(language: PromptLanguage, raw: str | None = None) -> str:
    """What a model is asked about one picture. ``raw``: the caption that it came with, for a fused one."""
    return _PROMPTS[language] + (_FUSED[language] + raw if raw else "")
