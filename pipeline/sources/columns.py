"""What a list says about its pictures: captions, license, a checksum, and columns to keep.

    {caption: A cat, alt: [..], license: CC0-1.0, score: 0.7}  ──>  captions, license, extra = '{"score": 0.7}'

A column is whatever a source calls one: of a table, of a Parquet file, a member of a WebDataset sample.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.sources.base import Refused, Source
from pipeline.sources.caption_text import (
    ENCODING,
    LENGTH,
    TEXT_LIMIT,
    UNREADABLE,
    CaptionFault,
    CaptionSource,
    captions_of,
    decode_text,
)


@dataclass(frozen=True)
class CaptionColumn:
    """A column of captions, and who wrote them."""

    column: str
    source: CaptionSource = "raw"


@dataclass(frozen=True, kw_only=True)
class ListedSource(Source):
    """A source whose inputs come with columns. ``captions``: of them, each a text or a list of texts, also with who
    wrote it. ``license``: an SPDX expression; unknown where it is null. ``keep``: go into ``extra``. ``sha256``: of
    the picture's bytes, in hex; another picture is refused."""

    captions: tuple[str | CaptionColumn, ...] = ()
    license: str | None = None
    keep: tuple[str, ...] = ()
    sha256: str | None = None

    def columns(self) -> tuple[str, ...]:
        """Every column that is read of an input, without repeats, but for those of pictures."""
        wanted = (*(c.column for c in self.caption_columns()), self.license, *self.keep, self.sha256)
        return tuple(dict.fromkeys(name for name in wanted if name))

    def caption_columns(self) -> tuple[CaptionColumn, ...]:
        """``captions``, each with its source."""
        return with_sources(self.captions)


def with_sources(columns: Iterable[str | CaptionColumn]) -> tuple[CaptionColumn, ...]:
    """Each with who wrote it: raw where a config names the column alone."""
    return tuple(CaptionColumn(c) if isinstance(c, str) else c for c in columns)


def texts_in(columns: Iterable[CaptionColumn], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The column ``captions``, or ``instructions``, of a sample with these ``values``."""
    found = []
    for column in columns:
        texts, faults = _texts_of(values.get(column.column))
        found += captions_of(texts, faults, column.source)
    return found


def described(source: ListedSource, values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns ``captions``, ``license`` and ``extra`` of a sample; a value may be a CaptionFault.

    Raises Refused where a column to keep cannot be kept.
    """
    license_ = values.get(source.license) if source.license else None
    return {
        "captions": texts_in(source.caption_columns(), values),
        "license": _printable(license_) if isinstance(license_, str) and license_.strip() else "unknown",
        "extra": _extra({name: values.get(name) for name in source.keep}),
    }


def verify(source: ListedSource, values: Mapping[str, Any], found: str) -> None:
    """Raise Refused unless the column ``sha256`` says what was found."""
    if not source.sha256:
        return
    expected = values.get(source.sha256)
    if not isinstance(expected, str) or not expected.strip():
        raise Refused(f"the column '{source.sha256}' has no checksum to verify it by", "incomplete")
    if expected.strip().lower() != found:
        raise Refused(f"its sha256 is {found}, the column '{source.sha256}' says {expected.strip()[:64]}", "mismatch")


def _texts_of(value: Any) -> tuple[list[str], list[str]]:
    """(captions, codes of faults) in a value: a text, a list of texts, null, or the fault of reading it."""
    texts: list[str] = []
    faults: list[str] = []
    for one in value if isinstance(value, list) else [value]:
        try:
            texts += _text(one)
        except CaptionFault as fault:
            faults.append(fault.code)
    return texts, faults


def _text(value: Any) -> Iterator[str]:
    """The text without white space around it, if there is any. Raises CaptionFault."""
    if isinstance(value, CaptionFault):
        raise value
    if isinstance(value, bytes):
        value = decode_text(value)
    if value is None:
        return
    if not isinstance(value, str):
        raise CaptionFault(UNREADABLE, f"is no text: {type(value).__name__}")
    if len(value) > TEXT_LIMIT:
        raise CaptionFault(LENGTH, f"is longer than {TEXT_LIMIT:,} characters")
    if "\0" in value or not _is_unicode(value):
        raise CaptionFault(ENCODING, "holds NUL characters or halves of surrogate pairs")
    if value.strip():
        yield value.strip()


def _is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: JSON may escape half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(text: str) -> str:
    """As UTF-8 can hold it: halves of surrogate pairs are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _extra(values: Mapping[str, Any]) -> str | None:
    """A JSON object; null where no column is kept."""
    if not values:
        return None
    text = json.dumps(_plain(dict(values)), ensure_ascii=False, default=str)
    text = _printable(text)
    if len(text) > TEXT_LIMIT:
        raise Refused(f"the columns to keep are longer than {TEXT_LIMIT:,} characters")
    return text


def _plain(value: Any) -> Any:
    """What JSON can hold: no infinite numbers, no bytes."""
    if isinstance(value, CaptionFault):
        raise Refused(f"a column to keep {value}")
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return None if isinstance(value, float) and not math.isfinite(value) else value
