"""Qwen2.5-VL in this process, as transformers has it: greedy, so that the same picture gets the same caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from configs.errors import RunFailed
from pipeline.annotators.model_folder import refuse_missing
from pipeline.captioner.base import Question, Reply

_TEMPLATE = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    "<|vision_start|><|image_pad|><|vision_end|>{}<|im_end|>\n<|im_start|>assistant\n"
)
"""The chat template of the released checkpoint for one picture and one question."""


class QwenCaptioner:
    """``folder``: weights, tokenizer and processor of a Qwen2.5-VL. ``device``: of torch."""

    def __init__(self, folder: Path, device: str, max_tokens: int) -> None:
        import torch
        from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

        dtype = torch.bfloat16 if device == "cuda" else torch.float32  # many CPUs multiply bf16 without units for it
        load: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained
        model, report = load(str(folder), dtype=dtype, output_loading_info=True)
        refuse_missing(report)
        self._model = model.eval().to(device)
        self._processor = AutoProcessor.from_pretrained(str(folder))
        self._processor.tokenizer.padding_side = "left"  # answers begin where prompts end
        self._device, self._max_tokens = device, max_tokens

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        import torch

        inputs = self._processor(
            text=[_TEMPLATE.format(_plain(q.prompt)) for q in questions],
            images=[Image.fromarray(q.pixels) for q in questions],
            padding=True,
            return_tensors="pt",
        )
        seen = (inputs["input_ids"] == self._model.config.image_token_id).sum(1).tolist()
        if min(seen) < 1 or inputs["pixel_values"].shape[0] < sum(seen):
            raise RunFailed("captioner: a picture did not reach the model: its prompt has no image tokens")
        with torch.inference_mode():
            tokens = self._model.generate(
                **inputs.to(self._device), do_sample=False, max_new_tokens=self._max_tokens, temperature=None
            )
        texts = self._processor.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return [Reply(text, count) for text, count in zip(texts, seen, strict=True)]


def _plain(prompt: str) -> str:
    """A caption that came with a picture must not end the turn, or bring in another picture."""
    return prompt.replace("<|", "< |")
