"""Which photographs a text may stand in: a line of a sign in one that its place could be in, any other text in one that says nothing.

Text, Theme ──belongs──> whether the photograph may be seen sharply behind the text
Text ──wanted──> what is asked of a photograph for it, the best first
"""

from __future__ import annotations

from collections.abc import Container

from synth.content.base import Text
from synth.photo_list import Kind, Theme
from synth.photos import Accepts

_PLACES: dict[Theme, tuple[str, ...]] = {
    "wildlife": ("zoo", "wildlife_park"),
    "pets": ("pet_shop",),
    "farm": ("farm", "farm_shop"),
    "sea": ("aquarium",),
    "garden": ("botanical_garden", "park", "flower_shop"),
    "mountains": ("mountain_trail", "campsite", "hostel"),
    "ruins": ("heritage_site", "museum"),
    "palace": ("castle", "museum"),
    "city": (
        "tourist_office",
        "town_hall",
        "hotel",
        "hostel",
        "bus_station",
        "theater",
        "university",
        "library",
        "cafe",
    ),
    "music": ("concert_hall", "theater"),
    "food": ("cafe", "restaurant", "weekly_market", "tea_house"),
    "art": ("art_studio", "school"),
    "sky": ("observatory",),
}
"""Places of ``corpus/signs.py`` whose signs could stand in a photograph of each theme; ``plain`` ones suit all. Chosen."""
_QUIET: tuple[Theme, ...] = ("garden", "mountains", "city", "palace")
"""Chosen: what may be far behind a text that does not belong there, out of focus: no animals, faces or dishes."""


def outdoors(kind: Kind | None) -> bool:
    """Whether a photograph of a ``kind`` shows the open, where no text stands that makes sense within a building alone."""
    return kind in ("street", "building", "nature", "animal", "wall")


def belongs(text: Text, theme: Theme | None) -> bool:
    """Whether a text may stand in a photograph of a ``theme``, None for one that is not listed."""
    return theme == "plain" or _about(text, theme)


def wanted(text: Text, kinds: Container[Kind | None], holding: Container[Kind | None]) -> tuple[Accepts, ...]:
    """Photographs of these kinds that show a place which the text could be of; else those of kinds that have what a thing is
    held by, which say nothing or may be far behind it; else any, where the recipe has no others."""
    return (
        lambda kind, theme: kind in kinds and _about(text, theme),
        lambda kind, theme: kind in holding and theme in _QUIET,
        lambda kind, _: kind in holding,
        lambda kind, _: kind in kinds,
        lambda *_: True,
    )


def _about(text: Text, theme: Theme | None) -> bool:
    return theme is None or text.topic.partition(".")[0] in _PLACES.get(theme, ())
