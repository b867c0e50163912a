"""Lines of signs, posters and notices: those of one picture are of one place, and a line that replaces another says a thing of its kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from synth.choice import choose_key
from synth.content.base import Content, ContentRequest, Text, Unit, both
from synth.corpus.signs import GOODS, SLOTS, Setting, Slot, filled, lines, places
from synth.language import CaptionLanguage

_ALONE: set[str] = {"say", *GOODS}
_TRIES = 1000  # lines drawn for one text before it is given up


@dataclass(frozen=True, kw_only=True)
class Sign(Content):
    """What a museum, a bakery, a station writes on its signs; sentences and goods stand alone. ``slots``: weights of what is said: the place's name, a
    sentence, goods in tins and bottles, what is offered, opening hours, the way, a notice. ``length``: characters, [least, most]."""

    ranges: ClassVar[tuple[str, ...]] = ("length",)

    kind: Literal["sign"]
    languages: dict[CaptionLanguage, float] = field(default_factory=both)
    slots: dict[Slot, float] = field(default_factory=lambda: dict.fromkeys(SLOTS, 1.0))
    length: tuple[int, int] = (1, 100)

    def draw(self, request: ContentRequest) -> Text:
        rng = request.rng
        related = request.instead or next(iter(request.beside), None)
        language: CaptionLanguage = choose_key(rng, self.languages) if related is None else _language(related)
        said = {text.topic.split(".")[1] for text in request.beside}
        if request.beside:  # sentences and goods stand alone: one ends in a mark, the other is on what it names
            said |= set(SLOTS) if said & _ALONE else _ALONE
        settings = {"", *_settings(request)}
        left = {slot: weight for slot, weight in self.slots.items() if slot not in said}
        for _ in range(_TRIES if any(left.values()) else 0):
            place = related.topic.split(".")[0] if related else places()[int(rng.integers(len(places())))]
            slot = _slot(request.instead) if request.instead else choose_key(rng, left)
            options = [line for line in lines(place, slot) if line.setting in settings]
            if not options:
                continue
            line = filled(options[int(rng.integers(len(options)))], rng)
            text, counterpart = (line.zh, line.en) if language == "zh" else (line.en, line.zh)
            if self.length[0] <= len(text) <= self.length[1]:
                unit: Unit = "sentence" if slot == "say" else "line"
                return Text(
                    text,
                    language,
                    unit,
                    "signs",
                    counterpart=counterpart,
                    topic=f"{place}.{slot}",
                    order=SLOTS.index(slot),
                    setting=line.setting,
                )
        raise ValueError(f"length {list(self.length)}: no line of that many characters came up in {_TRIES} tries")


def _settings(request: ContentRequest) -> set[Setting]:
    """Those that another line may have, beside or instead of others: never inside where they are outside."""
    if request.instead:
        return {request.instead.setting}
    taken = {text.setting for text in request.beside} - {""}
    return taken or {"inside", "outside"}


def _language(text: Text) -> CaptionLanguage:
    return "zh" if text.language == "zh" else "en"


def _slot(text: Text) -> Slot:
    (slot,) = (each for each in SLOTS if text.topic.endswith(f".{each}"))
    return slot
