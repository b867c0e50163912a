"""Prompts to condition tensors: Qwen2.5-VL's last hidden state of the templated prompt, unpadded.

    prompt --template--> ids --language model--> hidden states --first 34 dropped--> (n, d)

The 34 dropped tokens are the system message and the opening of the user turn; what is kept is the
prompt and the template's 5 closing tokens, which have read it. The language model is causal, so
prompts of unlike lengths share a call by padding on the right: what follows cannot change a token.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from configs import UserError
from model.joint import PADDING_LIMIT
from model.text_encoder import load_text_encoder

# The T2I template of the released pipeline (report, figure 7).
TEMPLATE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, "
    "spatial relationships of the objects and background:<|im_end|>\n"
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
DROPPED = 34
BATCH_TOKENS = 8192  # ours: tokens of one call of the language model

log = logging.getLogger(__name__)


class Conditioner:
    """Tokenizer and frozen language model.

    A prompt whose kept tokens exceed ``max_tokens`` is a UserError, or is cut there with a warning
    when ``too_long`` is "cut", as the released pipeline cuts: the closing tokens go first.
    """

    def __init__(
        self, tokenizer: Any, encoder: Any, max_tokens: int = 512, too_long: Literal["error", "cut"] = "error"
    ) -> None:
        self.tokenizer, self.encoder = tokenizer, encoder
        self.max_tokens, self.too_long = max_tokens, too_long

    @classmethod
    def load(
        cls,
        folder: str | Path,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        max_tokens: int = 512,
        too_long: Literal["error", "cut"] = "error",
    ) -> Conditioner:
        """From a pipeline folder with ``tokenizer/`` and ``text_encoder/``; ``dtype`` None keeps the stored one."""
        from transformers import Qwen2Tokenizer

        folder = Path(folder)
        for part in ("tokenizer", "text_encoder"):
            if not (folder / part).is_dir():
                raise UserError(f"{folder}: has no folder {part}/; a diffusers folder of Qwen-Image is needed")
        tokenizer = Qwen2Tokenizer.from_pretrained(folder / "tokenizer")
        encoder: Any = load_text_encoder(folder / "text_encoder", dtype)
        return cls(tokenizer, encoder.to(device), max_tokens, too_long)

    @property
    def dim(self) -> int:
        return self.encoder.config.text_config.hidden_size

    def to(self, device: torch.device | str) -> Conditioner:
        self.encoder.to(device)
        return self

    def tokenize(self, prompts: Sequence[str]) -> list[list[int]]:
        """Token ids of the templated prompts, the 34 of the prefix included."""
        if not prompts:
            return []
        ids = self.tokenizer([TEMPLATE.format(prompt) for prompt in prompts]).input_ids
        return [self._fitted(prompt, line) for prompt, line in zip(prompts, ids, strict=True)]

    def lengths(self, prompts: Sequence[str]) -> list[int]:
        """Number of condition tokens each prompt will have; runs the tokenizer alone."""
        return [len(line) - DROPPED for line in self.tokenize(prompts)]

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> list[Tensor]:
        """One (n_i, d) tensor per prompt, on the encoder's device, in its dtype."""
        ids = self.tokenize(prompts)
        out: dict[int, Tensor] = {}
        for part in _batches([len(line) for line in ids]):
            longest = max(len(ids[i]) for i in part)
            padded = torch.tensor([ids[i] + [self.tokenizer.pad_token_id] * (longest - len(ids[i])) for i in part])
            hidden = self._language_model(padded.to(self.encoder.device))
            for row, i in enumerate(part):
                out[i] = hidden[row, DROPPED : len(ids[i])].clone()  # a view would keep the whole batch alive
        return [out[i] for i in range(len(ids))]

    def _language_model(self, ids: Tensor) -> Tensor:
        """(B, S) -> (B, S, d), after the final norm. The vocabulary head is not needed."""
        return self.encoder.model.language_model(input_ids=ids, use_cache=False).last_hidden_state

    def _fitted(self, prompt: str, ids: list[int]) -> list[int]:
        kept = len(ids) - DROPPED
        if kept <= self.max_tokens:
            return ids
        start = prompt[:40] + ("..." if len(prompt) > 40 else "")
        if self.too_long == "error":
            raise UserError(f"prompt '{start}' has {kept} tokens; at most {self.max_tokens} are allowed")
        log.warning("prompt '%s' has %d tokens and is cut after %d", start, kept, self.max_tokens)
        return ids[: DROPPED + self.max_tokens]


def _batches(lengths: Sequence[int]) -> Iterable[list[int]]:
    """Indices from short to long, cut where padding or BATCH_TOKENS would be exceeded."""
    part: list[int] = []
    total = 0
    for i in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        padded = (len(part) + 1) * lengths[i]
        if part and (padded > BATCH_TOKENS or padded > PADDING_LIMIT * (total + lengths[i])):
            yield part
            part, total = [], 0
        part.append(i)
        total += lengths[i]
    if part:
        yield part
