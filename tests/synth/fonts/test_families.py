"""Which families the shipped recipes draw with: none of them has most of what several can draw."""

from __future__ import annotations

from collections import Counter

import pytest

from synth.fonts.families import CHINESE, npm_folder
from synth.fonts.source import FontFile, FontSource, find
from synth.language import language_of
from synth.strategies.base import Composition
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn

MOST = 0.4  # of the texts that at least three families cover
PICTURES = {"pure": 100, "scene": 90, "edit": 70, "template": 24}


def family(font: FontFile) -> str:
    """Noto Sans CJK SC and Noto Sans SC are one design."""
    return font.family.replace(" CJK", "")


def drawn_with(made: Composition) -> list[tuple[str, FontFile]]:
    faces = {id(font.face(w)): font for font in made.fonts for w in font.wghts}
    return [(layer.block.text, faces[id(layer.block.face)]) for layer in made.drawing.texts]


@pytest.mark.parametrize("name", PICTURES)
def test_no_family_draws_most_of_what_three_cover(name: str) -> None:
    own = recipe(f"configs/synth/{name}.yaml")
    counts: dict[str, Counter[str]] = {"zh": Counter(), "en": Counter()}
    for index in range(PICTURES[name]):
        for text, font in drawn_with(drawn(own, index)):
            language = language_of(text)
            covering = {family(f) for f in own.fonts if f.writes(language) and f.missing(text) is None}
            if language in counts and len(covering) >= 3:
                counts[language][family(font)] += 1
    for language, found in counts.items():
        total = found.total()
        if total >= 20:  # Chinese has two families until `make fonts` brought more
            assert max(found.values()) <= MOST * total + 2 * (MOST * (1 - MOST) * total) ** 0.5, (language, found)
    assert counts["en"].total() >= 20


def test_the_installation_brings_a_song_and_a_hei_of_either_standard() -> None:
    fonts = find([FontSource(collection="chinese")])
    for tag in ("zh", "zh-Hant-TW"):
        styles = {
            f.source.style for f in fonts if f.writes(tag) and f.missing("永遠" if tag != "zh" else "永远") is None
        }
        assert {"sans", "serif"} <= styles, tag
    assert sum(f.source.weight for f in fonts if f.writes("zh")) == pytest.approx(1)


def test_fonts_of_npm_join_where_they_were_fetched() -> None:
    fonts = find([FontSource(collection="chinese")])
    wanted = {f.style for f in CHINESE if f.file or npm_folder(f.package)}
    assert {f.source.style for f in fonts} == wanted
    assert all(f.source.languages == ("zh",) for f in fonts if f.source.style in ("handwriting", "display"))
    assert {f.license for f in fonts} == {"OFL-1.1"}
