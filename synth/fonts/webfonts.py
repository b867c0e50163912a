"""Fonts as the web has them: packed as WOFF or WOFF2, or cut into slices.

    folder ──groups──> slices of one weight and style ──joined──> one TrueType file, kept in the user's cache
    a packed font ──unpacked──> the font in it, kept there too

npm's ``@fontsource`` packages cut a Chinese face into a hundred files by Unicode range.

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
    r"(?P<face>.+)-(?P<part>\[?\d+\]?|[a-z]+(?:-[a-z]+)*)-(?P<weight>\d{3})-(?P<style>normal|italic)\.woff2?"
)
PACKED = (".woff", ".woff2")
_MARK = "unicode.json"  # lies in every package of @fontsource
_DROPPED = ["GSUB", "GPOS", "GDEF", "DSIG", "gasp", "fpgm", "prep", "cvt ", "kern", "vhea", "vmtx", "VORG", "BASE"]


def groups(folder: Path) -> list[list[Path]]:
    """The slices of each weight and style in the packages of @fontsource under ``folder``, in a stable order."""
    found: defaultdict[tuple[Path, str, str], list[Path]] = defaultdict(list)
    for path in slices_of(folder):
        if path.suffix == ".woff2" and path.with_suffix(".woff").exists():
            continue  # the same slice, packed another way
        match = _SLICE.fullmatch(path.name)
        assert match is not None  # `slices_of` gives no other names
        found[path.parent.parent, match["weight"], match["style"]].append(path)
    return [sorted(found[key]) for key in sorted(found)]


def slices_of(folder: Path) -> list[Path]:
    """All slices in the packages of @fontsource under ``folder``."""
    files = [path for mark in folder.rglob(_MARK) for path in (mark.parent / "files").glob("*.woff*")]
    return [path for path in files if _SLICE.fullmatch(path.name)]


def unpacked(path: Path, where: str) -> Path:
    """The font in a WOFF or WOFF2 file. Raises UserError where it cannot be read."""
    from fontTools.ttLib import TTFont
    from fontTools.ttLib.ttFont import TTLibError

    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        out = _cache_folder() / f"{path.stem}-{digest}.ttf"
        if not out.exists():
            font = TTFont(path, recalcTimestamp=False)
            font.flavor = None
            with replaced(out, durable=False) as temporary:
                font.save(temporary)
        return out
    except OSError as error:
        raise UserError(f"{where}.file: {path} cannot be read: {error.strerror or error}") from None
    except ImportError:
        raise UserError(f"{where}.file: {path} is packed with Brotli; pip install brotli") from None
    except (TTLibError, ValueError, AssertionError) as error:
        raise UserError(f"{where}.file: {path} is not a font that can be used: {error}") from None


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
