"""The prompt templates of the released pipelines: what Qwen2.5-VL reads, and how much of it is dropped.

    text     system message, prompt                                             QwenImagePipeline
    single   system message for edits, one picture, prompt                      QwenImageEditPipeline
    multi    the same with "Picture 1: ", "Picture 2: " before the pictures     QwenImageEditPlusPipeline

The system message and the opening of the user's turn are dropped from the hidden states; what
remains are the pictures' tokens, the prompt and the closing tokens (``configs/prompts.py``), which have read everything.
"""

from __future__ import annotations

from typing import Literal

Style = Literal["single", "multi"]  # how reference pictures are announced

IMAGE_PAD = "<|image_pad|>"  # stands for one picture; repeated once per vision token
PICTURE_TOKENS: dict[Style, int] = {"single": 2, "multi": 7}  # that announce a picture, its own not counted

# Report, figure 7.
_TEXT = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, "
    "spatial relationships of the objects and background:<|im_end|>\n"
    "<|im_start|>user\n"
)
# The released edit pipelines; the report prints the same.
_EDIT = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. Generate a new "
    "image that meets the user's requirements while maintaining consistency with the original input where "
    "appropriate.<|im_end|>\n"
    "<|im_start|>user\n"
)
_CLOSE = "<|im_end|>\n<|im_start|>assistant\n"
_PICTURE = f"<|vision_start|>{IMAGE_PAD}<|vision_end|>"


def around(references: int = 0, style: Style = "multi") -> tuple[str, str, int]:
    """What stands before and after a prompt, with one IMAGE_PAD per reference, and the number of tokens to drop."""
    if not references:
        return _TEXT, _CLOSE, 34
    pictures = _PICTURE if style == "single" else "".join(f"Picture {i + 1}: {_PICTURE}" for i in range(references))
    return _EDIT + pictures, _CLOSE, 64
