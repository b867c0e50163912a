"""What fills the slots of a template: words of ``data/slots-{en,zh}.txt``, grammar, numbers that agree with each other.

A ``Filler`` lives for one picture. It remembers, so that a company has one name on its card and a receipt's total is
the sum of its lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from synth.corpus import grammar, subjects
from synth.corpus.builtin import DATA
from synth.errors import Undrawable
from synth.language import CaptionLanguage

_ONCE = frozenset({"company", "person", "city", "title", "brand", "event", "month", "address"})
"""Slots that say the same everywhere in a picture."""
_SLOT = re.compile(r"\{(\w+)\}")


class Filler:
    """Texts for the slots of one picture."""

    def __init__(self, language: CaptionLanguage, rng: np.random.Generator) -> None:
        self.language, self._rng = language, rng
        self._kept: dict[str, str] = {}
        self._used: set[str] = set()
        self._total = 0.0
        self._month = int(rng.integers(12))
        self._day = 0

    def fill(self, slot: str) -> str:
        """A text; the same one again for slots that are the same everywhere. Raises Undrawable when words run out."""
        if slot in self._kept:
            return self._kept[slot]
        text = _COMPUTED[slot](self) if slot in _COMPUTED else self._word(slot)
        if slot in _ONCE:
            self._kept[slot] = text
        return text

    def _word(self, slot: str) -> str:
        """One of the slot's entries that the picture has not used."""
        entries = [e for e in slots(self.language)[slot] if e not in self._used]
        if not entries:
            raise Undrawable(f"the words for '{slot}' are used up")
        entry = entries[int(self._rng.integers(len(entries)))]
        self._used.add(entry)
        return _SLOT.sub(lambda part: self.fill(part[1]), entry)

    def _n(self) -> str:
        return str(self._rng.integers(1, 200))

    def _number(self) -> str:
        return f"{self._rng.integers(10, 10000):,}"

    def _percent(self) -> str:
        return f"{self._rng.integers(1, 100)}%"

    def _date(self) -> str:
        day = int(self._rng.integers(1, 29))
        if self.language == "zh":
            return f"{self._month + 1}月{day}日"
        return f"{slots('en')['month'][self._month]} {day}"

    def _month_name(self) -> str:
        return slots(self.language)["month"][self._month]

    def _year(self) -> str:
        return str(self._rng.integers(1995, 2036))

    def _time(self) -> str:
        return grammar.number("time", self._rng)

    def _sign(self) -> str:
        return "¥" if self.language == "zh" else "$"

    def _price(self) -> str:
        cents = (
            int(self._rng.integers(100, 20000)) if self._rng.random() < 0.5 else 100 * int(self._rng.integers(1, 300))
        )
        self._total += cents / 100
        return f"{self._sign()}{cents / 100:.2f}"

    def _total_price(self) -> str:
        return f"{self._sign()}{self._total:.2f}"

    def _phone(self) -> str:
        n = self._rng.integers
        if self.language == "zh":
            return f"1{n(30, 90)} {n(0, 10000):04} {n(0, 10000):04}"
        return f"+1 {n(201, 990)} 555 {n(0, 10000):04}"

    def _site(self) -> str:
        return f"{('north', 'blue', 'paper', 'open', 'green', 'river')[int(self._rng.integers(6))]}-{('studio', 'books', 'farm', 'cafe', 'lab')[int(self._rng.integers(5))]}.example"

    def _url(self) -> str:
        if "site" not in self._kept:
            self._kept["site"] = self._site()
        return f"www.{self._kept['site']}"

    def _email(self) -> str:
        if "site" not in self._kept:
            self._kept["site"] = self._site()
        return f"{('info', 'hello', 'office', 'contact')[int(self._rng.integers(4))]}@{self._kept['site']}"

    def _distance(self) -> str:
        return f"{self._rng.integers(1, 300)} km"

    def _body(self) -> str:
        return "".join(subjects.passage(self.language, [int(self._rng.integers(2, 5))], self._rng)[1])

    def _sentence(self) -> str:
        return grammar.sentence(self.language, self._rng)

    def _day_number(self) -> str:
        self._day += 1
        return str(self._day)

    def _code(self) -> str:
        return f"{'ABCDEFGHKLMNPRST'[int(self._rng.integers(16))]}{self._rng.integers(100, 1000)}"

    def _page_number(self) -> str:
        return str(self._rng.integers(2, 60))


_COMPUTED: dict[str, Callable[[Filler], str]] = {
    "n": Filler._n,
    "number": Filler._number,
    "percent": Filler._percent,
    "date": Filler._date,
    "month_name": Filler._month_name,
    "year": Filler._year,
    "time": Filler._time,
    "price": Filler._price,
    "total_price": Filler._total_price,
    "phone": Filler._phone,
    "site": Filler._site,
    "url": Filler._url,
    "email": Filler._email,
    "distance": Filler._distance,
    "body": Filler._body,
    "sentence": Filler._sentence,
    "day_number": Filler._day_number,
    "code": Filler._code,
    "page_number": Filler._page_number,
}
"""Slots that are no words of a list but made from numbers, grammar, or what the picture said before."""


def known(slot: str) -> bool:
    """Whether a template may ask for the slot."""
    return slot in _COMPUTED or all(slot in slots(language) for language in ("zh", "en"))


@lru_cache(maxsize=2)
def slots(language: CaptionLanguage) -> dict[str, list[str]]:
    """Entries by slot."""
    sections: dict[str, list[str]] = {}
    for line in (DATA / f"slots-{language}.txt").read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
        elif line.strip() and not line.startswith("#"):
            current.append(line.strip())
    return sections
