"""Tars of WebDataset: members that are called alike up to the first dot make a sample.

    shards/00000.tar:  a/000.jpg  a/000.txt  a/000.json    ──>  00000.tar/a/000.jpg, its captions, license ...

Every member that is called like a picture is an input. Listing reads headers, a picture is one read of its bytes
where they lie in the tar. A tar that is damaged is an input itself, which ends in failures/: what was listed
before the damage stays.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from configs.errors import UserError
from pipeline.sources import globs
from pipeline.sources.base import Reader, Refused, Remark, picture_row, refuse_listed
from pipeline.sources.caption_text import LENGTH, TEXT_LIMIT, UNREADABLE, CaptionFault, decode_text
from pipeline.sources.columns import CaptionColumn, ListedSource, described, verify
from pipeline.sources.files import EMPTY, Root, SpanFile, path_of, reason_of, refused_by, size_of, uri_of, within
from pipeline.sources.tar import DamagedTar, Member, members
from pipeline.store.ledger import Entry

if TYPE_CHECKING:
    from configs.pictures import Limits

_PICTURES = frozenset(
    ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "jp2", "ppm", "heic", "heif", "jxl")
)
"""Endings of pictures, those that cannot be decoded among them: they fail by name and are not passed over."""

_NAME = re.compile(rb"((?:.*/)?[^./][^./]*)\.([^/]*)", re.DOTALL)
"""Key and ending, as WebDataset splits a name: at the first dot of its last part."""


@dataclass(frozen=True, kw_only=True)
class WebDatasetSource(ListedSource):
    """``tars``: a glob of uncompressed tars, local or in an object store. ``captions``, ``license``, ``keep``, ``sha256``: members of a
    sample by their ending (``txt``), or a field of a JSON member (``json.caption``)."""

    kind: Literal["webdataset"]
    tars: str
    captions: tuple[str | CaptionColumn, ...] = ("txt",)

    paths = ("tars",)

    def check(self, where: str) -> None:
        """Raise UserError naming the field when there are no tars."""
        globs.check_files(self.tars, f"{where}.tars", "tars")

    def holds(self, path: Path) -> bool:
        return globs.may_match(self.tars, path)

    def entries(self, where: str, remark: Remark) -> Iterator[Entry]:
        """The pictures of each tar in its order, tars by the bytes of their names."""
        listing = _Listing(self)
        for name in globs.names_of(self.tars):
            yield from listing.tar(name)
        if not listing.count:
            raise UserError(f"field '{where}.tars': there are no pictures in '{self.tars}'")
        if listing.alone:
            remark(f"{listing.alone:,} samples have no picture and are no inputs")

    def reader(self) -> Reader:
        return _TarReader(self)


class _Listing:
    """One pass over the tars. ``count``: inputs so far. ``alone``: samples without a picture."""

    def __init__(self, source: WebDatasetSource) -> None:
        self._root = globs.root_of(source.tars)
        self._wanted = {_split(column)[0] for column in source.columns()}
        self.count = self.alone = 0

    def tar(self, name: bytes) -> Iterator[Entry]:
        path, uri = within(self._root, name), uri_of(name)
        damage: list[str] = []
        size = size_of(path)
        for _, group in itertools.groupby(_keyed(path, damage), key=lambda found: found[0]):
            entries = list(self._sample(uri, size, [(ending, member) for _, ending, member in group]))
            self.count += len(entries)
            self.alone += not entries
            yield from entries
        for reason in damage:
            self.count += 1
            yield Entry(uri, refused=f"the tar is not read to its end: {reason}", reason="unreadable")

    def _sample(self, tar: str, size: int, found: Sequence[tuple[str, Member]]) -> Iterator[Entry]:
        """The pictures among the members of one key."""
        times = Counter(ending for ending, _ in found)
        texts = {ending: member for ending, member in found if ending in self._wanted}
        twice = [ending for ending in texts if times[ending] > 1]
        for ending, member in found:
            if ending.rpartition(".")[2] in _PICTURES:
                again = [ending] if times[ending] > 1 else twice
                refused, reason = member.refused, member.reason
                if again and not refused:
                    refused, reason = f"two members '.{again[0]}' of one key", "ambiguous"
                yield Entry(
                    f"{tar}/{uri_of(member.name)}",
                    member.size,
                    refused=refused,
                    reason=reason if refused else None,
                    place=_place(tar, size, member, texts),
                )


def _keyed(path: Root, damage: list[str]) -> Iterator[tuple[bytes, str, Member]]:
    """(key, ending in lower case, member) of every member whose name has both; why it ends too early goes to
    ``damage``."""
    try:
        for member in members(path):
            if match := _NAME.fullmatch(member.name):
                yield match[1], match[2].decode("utf-8", "backslashreplace").lower(), member
    except DamagedTar as error:
        damage.append(str(error))
    except OSError as error:
        damage.append(reason_of(error))


def _place(tar: str, size: int, member: Member, texts: Mapping[str, Member]) -> str:
    """Where the bytes of a picture and of the texts that are read with it lie."""
    spans = {ending: text.refused or [text.offset, text.size] for ending, text in texts.items()}
    return json.dumps({"tar": tar, "bytes": size, "at": [member.offset, member.size], "texts": spans})


def _split(column: str) -> tuple[str, tuple[str, ...]]:
    """``json.a.b`` as the ending of a member and the path of a field in it; other endings have no fields."""
    parts = column.removeprefix(".").split(".")
    lower = [part.lower() for part in parts]
    end = lower.index("json") + 1 if "json" in lower else len(parts)
    return ".".join(lower[:end]), tuple(parts[end:])


class _TarReader(Reader):
    """Reads a member where it lies, and the texts beside it."""

    def __init__(self, source: WebDatasetSource) -> None:
        self._source = source
        self._root = globs.root_of(source.tars)
        self._open: tuple[str, SpanFile | None] = ("", None)

    def read(self, entry: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        refuse_listed(entry)
        place = json.loads(entry["place"])
        file = self._file(place["tar"], place["bytes"])
        offset, size = place["at"]
        if size > limits.max_bytes:
            raise Refused(f"larger than limits.max_bytes = {limits.max_bytes}", "too_large")
        values = _Values(file, place["texts"]).of(self._source.columns())
        if not size:
            raise Refused(EMPTY, "undecodable")
        row = picture_row(file.read_at(offset, size), limits)
        verify(self._source, values, row["sha256"])
        row["image"]["path"] = entry["uri"].rsplit("/", 1)[-1]
        return row | described(self._source, values) | {"origin": "webdataset"}

    def _file(self, tar: str, size: int) -> SpanFile:
        """A tar; one is open at a time."""
        name, file = self._open
        if name != tar or file is None:
            if file is not None:
                file.close()
            self._open = ("", None)
            try:
                file = SpanFile(within(self._root, path_of(tar)))
            except OSError as error:
                raise refused_by(error) from None
            self._open = (tar, file)
        if file.size() != size:
            raise Refused("its tar has changed since it was listed", "mismatch")
        return file


class _Values:
    """The texts of a sample, each read once."""

    def __init__(self, file: SpanFile, spans: Mapping[str, Any]) -> None:
        self._file, self._spans = file, spans
        self._texts: dict[str, Any] = {}

    def of(self, columns: Sequence[str]) -> dict[str, Any]:
        """Column -> text or JSON value; None where there is none, a CaptionFault where it cannot be read."""
        return {column: self._value(*_split(column)) for column in columns}

    def _value(self, ending: str, field: Sequence[str]) -> Any:
        if ending not in self._texts:
            self._texts[ending] = self._read(ending)
        value = self._texts[ending]
        for name in field:
            value = value.get(name) if isinstance(value, dict) else value if isinstance(value, CaptionFault) else None
        return value

    def _read(self, ending: str) -> Any:
        span = self._spans.get(ending)
        if span is None:
            return None
        try:
            if isinstance(span, str):
                raise CaptionFault(UNREADABLE, span)
            if span[1] > TEXT_LIMIT:
                raise CaptionFault(LENGTH, f"is larger than {TEXT_LIMIT:,} bytes")
            text = decode_text(self._file.read_at(*span))
            return json.loads(text) if text and ending.endswith("json") else text
        except CaptionFault as fault:
            return fault
        except (ValueError, RecursionError):
            return CaptionFault(UNREADABLE, "is no JSON")
