"""Text files beside pictures, one caption a line.

cat.png + cat.txt    cat.JPG + cat.TXT    cat.png + cat.png.txt    café.png + café.txt, one of them decomposed (NFD)
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator

from pipeline.sources.base import Refused
from pipeline.sources.caption_text import LENGTH, TEXT_LIMIT, UNREADABLE, CaptionFault, decode_text
from pipeline.sources.files import EMPTY, read_file, uri_of

_ENDING = b".txt"


def texts_beside(paths: Iterable[bytes]) -> dict[bytes, tuple[bytes, ...]]:
    """Picture -> its text files, among the files of one folder.

    A text belongs to the files that are called like it up to their ending, or up to its own. Letters composed
    otherwise count only where no file is called exactly so; ``.TXT`` is ``.txt``.
    """
    files = sorted(paths)
    exact: dict[bytes, list[bytes]] = defaultdict(list)
    composed: dict[str, list[bytes]] = defaultdict(list)
    for path in files:
        if not _is_text(path):
            for name in {path, os.path.splitext(path)[0]}:
                exact[name].append(path)
                composed[_composed(name)].append(path)
    found: dict[bytes, tuple[bytes, ...]] = defaultdict(tuple)
    for text in filter(_is_text, files):
        name = text[: -len(_ENDING)]
        for picture in exact.get(name) or composed.get(_composed(name), []):
            found[picture] += (text,)
    return found


class CaptionReader:
    """Reads text files and remembers which could not be read, for the user."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._faults: dict[str, tuple[int, str]] = {}

    def read(self, path: bytes, name: bytes, refused: str | None) -> tuple[list[str], str | None]:
        """(captions, code of the fault) of the file at ``path``; ``name``: within the folder; ``refused``: it must
        not be opened, and why."""
        try:
            if refused:
                raise CaptionFault(UNREADABLE, refused)
            return _read_lines(path, self._encoding), None
        except CaptionFault as fault:
            reason = re.sub(r" from byte \d+", "", str(fault))
            count, first = self._faults.get(reason, (0, uri_of(name)))
            self._faults[reason] = (count + 1, first)
            return [], fault.code

    def remarks(self) -> Iterator[str]:
        """What could not be read, a line per reason."""
        for reason, (count, first) in self._faults.items():
            if count == 1:
                yield f"the captions of '{first}' are left out: {reason}"
            else:
                yield f"the captions of {count} text files are left out, the first '{first}': {reason}"


def _read_lines(path: bytes, encoding: str) -> list[str]:
    """The captions in a text file, one a line. Raises CaptionFault."""
    try:
        data = read_file(path, TEXT_LIMIT)
    except Refused as refused:
        if str(refused) == EMPTY:
            return []
        code = LENGTH if str(refused).startswith("larger") else UNREADABLE
        reason = f"it is larger than {TEXT_LIMIT:,} bytes" if code == LENGTH else str(refused)
        raise CaptionFault(code, reason) from None
    return [line.strip() for line in re.split(r"\r\n|\r|\n", decode_text(data, encoding)) if line.strip()]


def _is_text(path: bytes) -> bool:
    return path[-len(_ENDING) :].lower() == _ENDING


def _composed(name: bytes) -> str:
    return unicodedata.normalize("NFC", name.decode("utf-8", "surrogateescape"))
