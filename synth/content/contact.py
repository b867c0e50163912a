"""What stands on cards, parcels and forms: names, companies, addresses, phone numbers, e-mail and web addresses.

All of it is invented by Faker (MIT) from lists of its own; its e-mail addresses lie in reserved domains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from configs.errors import UserError
from synth.choice import choose_key
from synth.content.base import Content, ContentRequest, Text, both
from synth.language import CaptionLanguage, language_of

if TYPE_CHECKING:
    from faker import Faker

Form = Literal["name", "company", "address", "phone_number", "email", "url", "job"]
_LOCALES: dict[CaptionLanguage, str] = {"zh": "zh_CN", "en": "en_US"}


@dataclass(frozen=True, kw_only=True)
class Contact(Content):
    """One line of the kind that cards and forms carry."""

    kind: Literal["contact"]
    languages: dict[CaptionLanguage, float] = field(default_factory=both)
    forms: dict[Form, float] = field(
        default_factory=lambda: dict.fromkeys(
            ("name", "company", "address", "phone_number", "email", "url", "job"), 1.0
        )
    )

    @property
    def packages(self) -> tuple[str, ...]:
        return (*super().packages, "Faker")

    def draw(self, request: ContentRequest) -> Text:
        language = choose_key(request.rng, self.languages)
        fake = _faker(language)
        form = choose_key(request.rng, self.forms)
        fake.seed_instance(int(request.rng.integers(2**63)))
        text = _american_address(fake) if (form, language) == ("address", "en") else str(getattr(fake, form)())
        return Text(text, language_of(text), "line", "Faker")


def _american_address(fake: Faker) -> str:
    """One line; Faker's own addresses have postal codes of other states."""
    state = fake.state_abbr(include_territories=False, include_freely_associated_states=False)
    return f"{fake.street_address()}, {fake.city()}, {state} {fake.zipcode_in_state(state)}"


@lru_cache(maxsize=2)
def _faker(language: CaptionLanguage) -> Faker:
    try:
        from faker import Faker
    except ImportError:
        raise UserError(
            "contents of kind contact are invented by the package Faker; install it: pip install Faker"
        ) from None
    return Faker(_LOCALES[language])
