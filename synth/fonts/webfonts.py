"""Fonts that come in slices: npm's ``@fontsource`` packages cut a Chinese face into a hundred files by Unicode range.

    folder ──groups──> slices of one weight and style ──joined──> one TrueType file, kept in the user's cache

Only the tables that map and draw characters are joined: the layout features of a slice know its own characters only.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from configs.errors import UserError
from configs.files import replaced

_SLICE = re.compile(
    r"(?P<face>.+)-(?P<part>\[?\d+\]?|[a-z]+(?:-[a-z]+)*)-(?P<weight>\d{3})-(?P<style>normal|italic)\.woff"
)
_MARK = "unicode.json"  # lies in every package of @fontsource
_DROPPED = ["GSUB", "GPOS", "GDEF", "DSIG", "gasp", "fpgm", "prep", "cvt ", "kern", "vhea", "vmtx", "VORG", "BASE"]


def groups(folder: Path) -> list[list[Path]]:
    """The slices of each weight and style in the packages of @fontsource under ``folder``, in a stable order."""
    found: defaultdict[tuple[Path, str, str], list[Path]] = defaultdict(list)
    for mark in folder.rglob(_MARK):
        for path in (mark.parent / "files").glob("*.woff"):
            match = _SLICE.fullmatch(path.name)
            if match:
                found[mark.parent, match["weight"], match["style"]].append(path)
    return [sorted(found[key]) for key in sorted(found)]


def _cache_folder() -> Path:
    """Where joined fonts are kept."""
    return Path.home() / ".cache" / "glyphmill" / "fonts"


def joined(slices: Sequence[Path], where: str, cache: Path | None = None) -> Path:
    """One font with the characters of all ``slices``. Raises UserError where one of them cannot be read."""
    from fontTools import version
    from fontTools.merge import Merger, Options

    total = hashlib.sha256(version.encode())
    for path in slices:
        total.update(path.read_bytes())
    package = slices[0].parent.parent.name
    out = (cache or _cache_folder()) / f"{package}-{total.hexdigest()[:12]}.ttf"
    if out.exists():
        return out
    logging.getLogger("fontTools.merge").setLevel(logging.ERROR)  # it warns about every character that two slices hold
    try:
        font = Merger(Options(drop_tables=_DROPPED)).merge([str(path) for path in slices])
    except Exception as error:  # fontTools raises what its parsers trip over
        raise UserError(f"{where}.file: the slices of {slices[0].parent} cannot be joined: {error}") from None
    font.recalcTimestamp = False
    font["head"].created = font["head"].modified = 0  # the same slices give the same bytes whenever they are joined
    with replaced(out, durable=False) as temporary:
        font.save(temporary)
    return out
