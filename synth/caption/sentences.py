"""Captions from sentences with slots and facts: a sentence may be used only where every fact it names is there.

    SceneFacts ──words──> {slot: phrase} ──> sentences whose slots are all filled ──> one sentence

The sentences stand in ``data/captions-{en,zh}.txt``. What is said about the picture comes out of slots only; the words
around them are true of every picture of their section.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from synth.caption.facts import SceneFacts
from synth.caption.listing import listing
from synth.caption.phrases import (
    color_name,
    effect_phrase,
    ended_once,
    enumerated,
    ground_phrase,
    phrases,
    quoted,
    sentences,
    with_an,
)
from synth.language import CaptionLanguage, is_han
from synth.strategies.scene.media import Medium, find_medium
from synth.strategies.template.nodes import MINOR_ROLES

_OPTIONAL = re.compile(r"<([^<>]*)>")
_SLOT = re.compile(r"\{(\w+)\}")
_SPACED = re.compile(r"(?<=[\u3000-\u9fff“”。，：；]) +| +(?=[\u3000-\u9fff“”。，：；])")  # spaces beside Chinese
_STYLED = re.compile(r"\b(in|a) \{adj\}|以\{adj\}")  # nothing stands there where there is no adjective
_WORDS = re.compile(r"\bwords\b(?! are)")  # "the opening words are" is of pages
_INSCRIBED = re.compile(r"\binscription\b|题字")  # of words, not of a price
_SEVERAL, _COUNTED = 3, 12  # chosen: Han characters that are called "several characters"
_CONSPICUOUS = frozenset({"with_effect", "With_effect", "way", "Way"})
_FEW = 3  # chosen: texts that are told of many
_HELD = {"all": "\ue000", "some": "\ue001"}
"""Slots that hold several quotes, with what stands for them while spaces and articles are mended."""


def write_caption(facts: SceneFacts, language: CaptionLanguage, rng: np.random.Generator) -> str:
    """One sentence about a picture."""
    words = _words(facts, language, rng)
    section = sentences("captions", language)[facts.kind]
    able = [sentence for sentence in section if _slots(_OPTIONAL.sub("", sentence)) <= words.keys()]
    able = [sentence for sentence in able if _may_be_said(sentence, facts, words)] or able
    seen = _CONSPICUOUS & words.keys()
    able = [sentence for sentence in able if seen & _slots(sentence)] or able
    chosen = able[int(rng.integers(len(able)))]

    def option(found: re.Match[str]) -> str:
        slots = _slots(found[1])
        return found[1] if slots <= words.keys() and (seen & slots or rng.random() < 0.6) else ""

    if not words["adj"]:
        chosen = chosen.replace("{adj}的", "")  # the particle goes with what it follows
    chosen = _OPTIONAL.sub(option, chosen)
    if "{title}" in chosen:  # which is quoted once
        words["quote"] = quoted(facts.rest, language)
    held = {slot: words[slot] for slot in _HELD if slot in words}  # quotes of others' words: nothing in them is mended
    marks = {slot: _HELD[slot] for slot in held}
    filled = _SLOT.sub(lambda slot: (words | marks)[slot[1]], chosen)
    caption = _clean(filled, words["quote"], language)
    for slot, text in held.items():
        caption = caption.replace(marks[slot], text)
    return ended_once(caption)


def _may_be_said(sentence: str, facts: SceneFacts, words: dict[str, str]) -> bool:
    """Whether what a sentence calls the text suits it: "words" are two or more, 几个字 three or more, 题字 nothing that a
    screen shows, and what lies or hangs does not stand."""
    if _WORDS.search(sentence) and len(facts.text.split()) < 2 and sum(map(is_han, facts.text)) < _SEVERAL:
        return False
    if not words["adj"] and _STYLED.search(sentence):
        return False
    if facts.family and facts.stands_out != ("{quote}" in sentence):
        return False
    if _INSCRIBED.search(sentence) and not any(map(str.isalpha, facts.text)):
        return False
    if "几个字" in sentence and not _SEVERAL <= sum(map(is_han, facts.text)) <= _COUNTED:
        return False
    if facts.medium is None:
        return True
    medium = find_medium(facts.medium)
    if {"lying", "line", "roped"} & set(medium.held) and re.search(r"立着|\bstands\b", sentence):
        return False
    return not ("题字" in sentence and medium.verb_en == "displayed")


def _clean(sentence: str, quote: str, language: CaptionLanguage) -> str:
    """Spaces, articles and the capital at the start; the quoted text stays as it is."""
    before, after = sentence.split(quote, 1)
    if language == "zh":
        before, after = _SPACED.sub("", before), _SPACED.sub("", after)
    before, after = (with_an(re.sub(r" {2,}", " ", text)) for text in (before, after))
    for twice, once in (("的的", "的"), ("体字体", "字体")):
        before, after = before.lstrip().replace(twice, once), after.replace(twice, once)
    return (
        (before[:1].upper() + before[1:] if language == "en" else before)
        + quote
        + after.replace(" ,", ",").replace(" .", ".")
    )


@lru_cache(maxsize=1024)
def _slots(sentence: str) -> frozenset[str]:
    return frozenset(_SLOT.findall(sentence))


def _words(facts: SceneFacts, language: CaptionLanguage, rng: np.random.Generator) -> dict[str, str]:
    """Phrases for the facts that are there; in English each also with a capital, under its slot with a capital."""
    words = {"quote": _quote(facts, language), "adj": _adjectives(facts, language, rng)}
    if facts.one_color:
        article = "a " if facts.color_to and language == "en" else ""
        words["color"] = article + _color(facts, language)
    if facts.kind in ("page", "dense"):
        words["color_body"] = _color(facts, language)
    if facts.size and facts.face != "handwriting":
        words["adj_small"] = _color(facts, language)
    named = {
        "way": facts.direction,
        "tongue": facts.tongue,
        "face": facts.face,
        "size": facts.size,
        "body": facts.body,
    }
    words |= {slot: phrases(slot, language)[key] for slot, key in named.items() if key in phrases(slot, language)}
    effect = effect_phrase("with_effect", facts.effect, facts.edge, language)
    if effect and facts.effect != "gradient":  # whose two colors say so
        words["with_effect"] = effect
    if facts.place:
        place = phrases("at", language)[facts.place]
        words |= {"at": f"在图片{place}", "at_zh": place} if language == "zh" else {"at": place}
    if 2 <= facts.lines <= 10:
        words["lines"] = _count("vertical" if facts.direction == "vertical" else "lines", facts.lines, language)
    if facts.columns > 1:
        words["columns"] = _count("columns", facts.columns, language)
    if facts.ground:
        words["ground"] = words["ground_short"] = ground_phrase("ground", facts.ground, language)
    if facts.medium:
        words |= _medium(find_medium(facts.medium), facts.face == "handwriting", language)
    if facts.family:
        words |= _family(facts, language, rng)
    if facts.media:
        words |= {
            "all": _several(facts, language),
            "quote": _HELD["all"],
            "count": _count("texts", len(facts.media), language),
        }
    if facts.title and facts.rest:
        words["title"] = quoted(facts.title, language)
        if facts.title_color:
            words["color_title"] = color_name(facts.title_color, language)
    if language == "en":
        words |= {_capital(slot): _capital(phrase) for slot, phrase in words.items()}
    return words


def _quote(facts: SceneFacts, language: CaptionLanguage) -> str:
    """What is quoted; several texts, and a heading and what it heads, one by one."""
    if not facts.rest:
        return enumerated(facts.parts or (facts.text,), language)
    then = "，接着是" if language == "zh" else ", then "
    return quoted(facts.title, language) + then + quoted(facts.rest, language)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _count(fact: str, number: int, language: CaptionLanguage) -> str:
    """So many lines or columns, in words."""
    return phrases("count", language)[fact].format(number=phrases("number", language)[str(number)])


def _adjectives(facts: SceneFacts, language: CaptionLanguage, rng: np.random.Generator) -> str:
    """Some of size, color and face, in the order of speech; the color nearly always."""
    chinese = language == "zh"
    found = []
    if facts.size and rng.random() < 0.5:
        found.append(phrases("size", language)[facts.size])
    if facts.one_color and (facts.color_to or rng.random() < 0.85):
        found.append(f"{_color(facts, language)}的" if chinese else _color(facts, language))
    if facts.face and rng.random() < 0.4:
        face = phrases("face", language)[facts.face]
        found.append(f"{face}体" if chinese and facts.face != "handwriting" else face)
    return ("" if chinese else " ").join(found)


def _color(facts: SceneFacts, language: CaptionLanguage) -> str:
    """The text's color, or both ends of its gradient."""
    if facts.color_to is None:
        return color_name(facts.color, language)
    first, last = color_name(facts.color, language), color_name(facts.color_to, language)
    return phrases("color", language)["gradient"].format(first=first, last=last)


def _medium(medium: Medium, by_hand: bool, language: CaptionLanguage) -> dict[str, str]:
    """The medium with its article or measure word, and how text gets there."""
    english, chinese = medium.hand if medium.hand and by_hand else (medium.verb_en, medium.verb_zh)
    if language == "en":
        return {"a_medium": f"a {medium.en}", "verb": english}
    return {"a_medium": medium.classifier + medium.zh, "verb": chinese, "verb_on": chinese.removesuffix("着") + "在"}


def _several(facts: SceneFacts, language: CaptionLanguage) -> str:
    """Every text with its color and what carries it: '"SALE" in red on a poster and "5107" in white on a street sign'."""
    told: list[str] = []
    seen: set[str | None] = set()
    for said, key in zip(facts.texts, facts.media, strict=True):
        quote, color = quoted(said.text, language), color_name(said.color, language)
        if language == "zh":
            told.append(f"{_carrier_zh(key, key in seen)}上{color}的{quote}")
        else:
            told.append(f"{quote} in {color} {_carrier_en(key, key in seen)}")
        seen.add(key)
    glue, last = ("、", "和") if language == "zh" else (", ", " and ")
    return glue.join(told[:-1]) + last + told[-1]


def _carrier_en(key: str | None, again: bool) -> str:
    if key is None:
        return "directly on the photograph"
    return with_an(f"on {'another' if again else 'a'} {find_medium(key).en}")


def _carrier_zh(key: str | None, again: bool) -> str:
    """一块路牌, of a second one 另一块路牌."""
    if key is None:
        return "照片"
    name = find_medium(key).classifier + find_medium(key).zh
    return f"另{name}" if again and name.startswith("一") else name


def _family(facts: SceneFacts, language: CaptionLanguage, rng: np.random.Generator) -> dict[str, str]:
    """A template's name, all of its texts (or an excerpt that says so), and some others than the main one."""
    assert facts.family is not None
    rest = [said.text for said in facts.texts if said.text != facts.text and said.role not in MINOR_ROLES]
    words = {
        "family": facts.family[language],
        "a_family": f"a {facts.family['en']}" if language == "en" else facts.family["zh"],
        "all": listing(facts.texts, language),
    }
    if not facts.stands_out:
        words["quote"] = _HELD["all"]  # no text is named before the others
    if len(rest) > _FEW and facts.stands_out:  # "among its others" of more than are told
        some = [rest[int(i)] for i in sorted(rng.permutation(len(rest))[:_FEW])]
        words["some"] = ("、" if language == "zh" else ", ").join(quoted(text, language) for text in some)
    return words
