"""From a template and data to one HTML file that needs nothing else: style and pictures are inside it.

Everything that comes from data is escaped by the template engine. Characters that a browser would
not show, or that turn the direction of what follows, are replaced before (``clean``): names of
files and captions come from strangers.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from configs.files import replace_text
from configs.numbers import duration, number, percent, size
from pipeline.report.font import font_face
from pipeline.schema import TEXT_LEVELS

_FONT = "/* the page's own font */"
"""What stands for it in base.html.j2: which characters it needs is known when all else is there."""
TEMPLATES = Path(__file__).parent / "templates"
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")
"""Unicode categories of characters that are not shown as themselves."""
_KEPT = "\n\u200d"
"""Newlines, and the joiner inside of emoji."""


def write_page(path: Path, template: str, context: dict[str, Any]) -> Path:
    """Fill ``template`` with ``context`` and put it at ``path`` in one step. Raises OSError."""
    html = _environment().get_template(template).render(context)
    html = html.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be written
    replace_text(path, html.replace(_FONT, font_face(frozenset(html)), 1))
    return path


def clean(value: object, limit: int = 600) -> str:
    """Text from data without unseen characters (newlines stay), cut to ``limit`` characters."""
    text = str(value)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    shown = (c if c in _KEPT or unicodedata.category(c) not in _UNSEEN else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(shown)


def name_of(uri: str) -> str:
    """The last part of a uri as a person reads it; bytes that are no UTF-8 become replacement
    characters. A rendered picture is called by its recipe and index."""
    if match := re.fullmatch(r"(.+)@[0-9a-f]+/(\d+)", uri):  # recipe, its digest, index
        return clean(f"{match[1]} #{match[2]}", 80)
    return clean(unquote(uri.rstrip("/").rsplit("/", 1)[-1], errors="replace") or uri, 80)


def level_name(level: int | None) -> str:
    """Words for a ``text_level``; a number that this code does not know stays a number."""
    if level is None:
        return "unknown"
    return TEXT_LEVELS[level] if 0 <= level < len(TEXT_LEVELS) else str(level)


def _slug(name: str) -> str:
    """A name as part of an element's id."""
    return re.sub(r"[^\w.-]+", "-", name)


def _value(value: object) -> str:
    """What an operator saw of a picture: a number, a word, or a dash for nothing."""
    if value is None or isinstance(value, bool):
        return "–" if value is None else str(value).lower()
    return number(value) if isinstance(value, int | float) else clean(value, 60)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clean": clean,
        "name_of": name_of,
        "slug": _slug,
        "number": number,
        "percent": percent,
        "share": lambda part: "–" if part is None else percent(part),
        "duration": duration,
        "bytes": size,
        "value": _value,
    }
    environment.globals["inline"] = _inline
    return environment


def _inline(name: str) -> Markup:
    """A file of templates/ (style, script) as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))
