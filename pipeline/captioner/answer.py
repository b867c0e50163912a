"""What a captioner's answer says, whatever it looks like: fences, prose around it, trailing commas, quotes that are not
escaped, wrong types, a cut end.

    answer ──a JSON object with a caption──────────────────────┐
           ──else: the text between one known key and the next ┴─> Answer

Nothing is guessed: a caption without its end is no caption, a fact of another form is unknown (None).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.captioner.prompt import KEYS

_LONGEST = 1 << 17
"""Characters of an answer that are looked at; chosen: a caption of 1,024 tokens has some thousand."""

_OBJECTS = 64
"""Places where an object may begin that are tried; chosen."""

_YES, _NO = frozenset({"yes", "true", "y", "是", "有"}), frozenset({"no", "false", "n", "none", "否", "无", "没有"})
_NOTHING = re.compile(
    r"\W*|n\W?a|null|nil|nothing|(no|none|not|无|無|没有|沒有|未)\W*"
    r"(any|可见|可見|明显|明顯|发现|發現|检测到|visible|obvious|detected|found|present|\W)*(watermarks?|水印|浮水印)?"
    r"(visible|detected|found|present|\W)*",
    re.IGNORECASE,
)
"""What an empty list of watermarks is called."""


def _is_nothing(text: str) -> bool:
    # A longer one says something, and would cost the expression minutes.
    return not any(map(str.isalnum, text)) or (len(text) <= 40 and _NOTHING.fullmatch(text) is not None)


class NoAnswer(Exception):
    """The model said something that holds no caption. The message says why."""


@dataclass(frozen=True)
class Answer:
    """The five values. All but the caption are None where the model did not give them in a form that is one."""

    caption: str
    image_type: str | None = None
    image_style: str | None = None
    watermarks: tuple[str, ...] | None = None
    abnormal: bool | None = None


def parse_answer(text: str) -> Answer:
    """Raises NoAnswer where there is no whole caption."""
    text = text[:_LONGEST]
    for found in _objects(text):
        if (answer := _answer(found)) is not None:
            return answer
    if (answer := _answer(_between_keys(text))) is not None:
        return answer
    if _name(text):
        raise NoAnswer("the caption is cut off, empty or no text")
    raise NoAnswer("no JSON object with a caption" if text.strip() else "the answer is empty")


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """Valid JSON objects with a known key, from the left, those inside of others too."""
    decoder = json.JSONDecoder(strict=False)
    for start in [m.start() for m in re.finditer(r"\{", text)][:_OBJECTS]:
        try:
            found, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        yield {_known(key): value for key, value in found.items() if _known(key)}


def _answer(found: Mapping[str, Any]) -> Answer | None:
    caption = _text(found.get("Caption"))
    if not caption:
        return None
    return Answer(
        caption,
        _text(found.get("Image Type")),
        _text(found.get("Image Style")),
        _list(found.get("Watermark List")),
        _yes(found.get("Abnormal Element")),
    )


def _plain(key: str) -> str:
    return re.sub(r"[\s_-]+", "", key).lower()


_KNOWN = {_plain(key): key for key in KEYS}
_NAMES = "|".join(key.replace(" ", r"[\s_-]?") for key in KEYS)
_KEY = re.compile(rf"""(?:^|[{{,\n])\s*(?:["'“]\s*({_NAMES})\s*["'”]|({_NAMES}))\s*[:：]""", re.IGNORECASE)


_HALF_KEY = re.compile(
    r",\s*[\"'“]?(?:" + "|".join(key[:n] for key in KEYS for n in range(len(key), -1, -1)) + r")[\"'”]?\s*$"
)
"""A key of which the rest, or whose value, was cut off."""


def _known(key: str) -> str:
    """The report's name of a key; empty for another one."""
    return _KNOWN.get(_plain(key), "")


def _name(text: str) -> bool:
    return any(_known(m[1] or m[2]) == "Caption" for m in _KEY.finditer(text))


def _between_keys(text: str) -> dict[str, Any]:
    """Values by the places of the keys: what stands between two of them is the first one's value, whatever is in it."""
    text = _HALF_KEY.sub("", text)
    places = list(_KEY.finditer(text))
    found: dict[str, Any] = {}
    for place, after in itertools.zip_longest(places, places[1:]):
        value = text[place.end() : after.start() if after else None].lstrip()
        found.setdefault(_known(place[1] or place[2]), _value(value, is_last=after is None))
    return found


def _value(value: str, is_last: bool) -> Any:
    """A text, a list of texts, or a bare word; None where its end is missing."""
    if value[:1] in ('"', "'", "“"):
        close = {"“": "”"}.get(value[0], value[0])
        # The last value ends before the brace; of others all up to the next key is theirs, quotes in it too.
        pattern = r"(.*?){0}\s*,?\s*(?:\}}|```|$)" if is_last else r"(.*){0}\s*,?\s*$"
        match = re.match(pattern.format(re.escape(close)), value[1:], re.DOTALL)
        return _unescaped(match[1]) if match else None
    if value[:1] == "[":
        inside, end, _ = value[1:].partition("]")
        return (
            [_unescaped(m[1] or m[2]) for m in re.finditer(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'', inside)]
            if end
            else None
        )
    # Bare text may have commas: of others all up to the next key is theirs, the last one ends with its line.
    word = re.match(r"[^}\n]*(?=[}\n])", value) if is_last else re.match(r"[^}]*", value)
    bare = word[0].strip().rstrip(",").rstrip() if word else ""
    return None if bare.lower() in ("null", "none") else bare


def _unescaped(text: str) -> str:
    """Of a JSON string's inside, whose quotes may lack their backslash; nothing where it ends inside of an escape."""
    if (len(text) - len(text.rstrip("\\"))) % 2:
        return ""
    quoted = re.sub(r'(?<!\\)((?:\\\\)*)"', r'\1\\"', text)
    try:
        return str(json.loads(f'"{quoted}"', strict=False))
    except ValueError:
        return text.replace('\\"', '"').replace("\\n", "\n")


def _text(value: Any) -> str | None:
    """A text, or a list of one; surrogates that stand alone cannot be stored."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "ignore").decode().replace("\0", "").strip() or None


def _list(value: Any) -> tuple[str, ...] | None:
    """A list of texts; a lone text is a list of one, "none" is an empty one."""
    if isinstance(value, str):
        value = [] if _is_nothing(value) else [value]
    if not isinstance(value, list):
        return None
    texts = [_text(item) for item in value]
    return tuple(text for text in texts if text and not _is_nothing(text))


def _yes(value: Any) -> bool | None:
    word = _plain(value).strip(".") if isinstance(value, str) else value
    if isinstance(word, str):
        return True if word in _YES else False if word in _NO else None
    return word if isinstance(word, bool) else None
