"""Captions from sentence shapes and facts: a shape may be used only where every fact it names is there.

    SceneFacts ──words──> {slot: phrase} ──> shapes whose slots are all filled ──> one sentence

The shapes stand in ``data/captions-{en,zh}.txt``. ShapedText that say something about a picture come out of slots only;
what a shape says by itself is true of every picture of its section.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from synth.caption.facts import SceneFacts
from synth.caption.phrases import (
    BODIES,
    CLASSIFIERS,
    FACES,
    NUMBERS,
    NUMBERS_ZH,
    PLACES,
    SIZES,
    TONGUES,
    VERBS,
    WAYS,
    quoted,
)
from synth.corpus.builtin import DATA
from synth.language import CaptionLanguage
from synth.strategies.scene.media import MEDIA

_OPTIONAL = re.compile(r"<([^<>]*)>")
_SLOT = re.compile(r"\{(\w+)\}")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])")
EFFECTS: dict[str, tuple[str, str]] = {
    "stroke": ("with an outline", "带有描边"),
    "hollow": ("drawn in outline only", "只有轮廓"),
    "shadow": ("with a drop shadow", "带有阴影"),
    "glow": ("with a glow", "带有光晕"),
    "gradient": ("with a colour gradient", "带有渐变"),
}
CLASSIFIERS |= {
    "cardboard sign": "一块",
    "poster": "一张",
    "sticky note": "一张",
    "banner": "一条",
    "sheet of paper": "",
}


def write_caption(facts: SceneFacts, language: CaptionLanguage, rng: np.random.Generator) -> str:
    """One sentence about a picture."""
    words = _words(facts, language, rng)
    able = [shape for shape in shapes(language)[facts.kind] if _slots(_OPTIONAL.sub("", shape)) <= words.keys()]
    shape = able[int(rng.integers(len(able)))]

    def option(part: re.Match[str]) -> str:
        return part[1] if _slots(part[1]) <= words.keys() and rng.random() < 0.6 else ""

    sentence = _SLOT.sub(lambda slot: words[slot[1]], _OPTIONAL.sub(option, shape))
    return _tidy(sentence, words["quote"], language)


def _tidy(sentence: str, quote: str, language: CaptionLanguage) -> str:
    """Spaces, articles and the capital at the start; the quoted text stays as it is."""
    before, after = sentence.split(quote, 1)
    if language == "zh":
        before, after = (
            re.sub(r"(?<=[\u3000-\u9fff“”。，：；]) +| +(?=[\u3000-\u9fff“”。，：；])", "", part)
            for part in (before, after)
        )
    before, after = (_ARTICLE.sub(r"\1n ", re.sub(r" {2,}", " ", part)) for part in (before, after))
    before, after = before.lstrip().replace("的的", "的"), after.replace("的的", "的")
    return (
        (before[:1].upper() + before[1:] if language == "en" else before)
        + quote
        + after.replace(" ,", ",").replace(" .", ".")
    )


@lru_cache(maxsize=2)
def shapes(language: CaptionLanguage) -> dict[str, list[str]]:
    """Shapes by section."""
    sections: dict[str, list[str]] = {}
    for line in (DATA / f"captions-{language}.txt").read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
        elif line.strip() and not line.startswith("#"):
            current.append(line.strip())
    return sections


@lru_cache(maxsize=1024)
def _slots(shape: str) -> frozenset[str]:
    return frozenset(_SLOT.findall(shape))


def _words(facts: SceneFacts, language: CaptionLanguage, rng: np.random.Generator) -> dict[str, str]:
    """Phrases for the facts that are there."""
    k = 1 if language == "zh" else 0
    words = {
        "quote": quoted(facts.text, language),
        "adj": _adjectives(facts, k, rng),
        "color": _color(facts, k),
    }
    if facts.size and facts.face != "handwriting":
        words["adj_small"] = words["color"]
    table = (
        ("with_effect", EFFECTS.get(facts.effect)),
        ("way", WAYS.get(facts.direction)),
        ("tongue", TONGUES.get(facts.language)),
        ("face", FACES.get(facts.face or "")),
        ("size", SIZES.get(facts.size or "")),
        ("body", BODIES.get(facts.body or "")),
        ("verb", VERBS.get(facts.medium or "")),
    )
    words |= {slot: phrases[k] for slot, phrases in table if phrases}
    if facts.place:
        place = PLACES[facts.place]
        words |= {"at": (place[0], "在" + place[2])[k], "at_zh": place[1]}
    if 2 <= facts.lines <= 10:
        words["lines"] = f"{NUMBERS_ZH[facts.lines]}行" if k else f"{NUMBERS[facts.lines]} lines"
    if facts.ground:
        words["ground"] = _ground(facts, k)
        words["ground_short"] = words["ground"]
    if facts.medium:
        words |= _medium(facts, k)
    if facts.family:
        words |= _family(facts, language, rng)
    if facts.title:
        words["title"] = quoted(facts.title, language)
        if facts.title_color:
            words["color_title"] = (facts.title_color.en, facts.title_color.zh)[k]
    if facts.columns > 1:
        words["columns"] = f"{NUMBERS_ZH[facts.columns]}栏" if k else f"{NUMBERS[facts.columns]} columns"
    return words | {
        name[:1].upper() + name[1:]: phrase[:1].upper() + phrase[1:] for name, phrase in words.items() if not k
    }


def _adjectives(facts: SceneFacts, k: int, rng: np.random.Generator) -> str:
    """Some of size, colour and face, in the order of speech; the colour nearly always."""
    found = []
    if facts.size and rng.random() < 0.5:
        found.append(SIZES[facts.size][k])
    if rng.random() < 0.85:
        found.append(f"{_color(facts, k)}的" if k else _color(facts, k))
    if facts.face and rng.random() < 0.4:
        found.append(f"{FACES[facts.face][k]}体" if k and facts.face != "handwriting" else FACES[facts.face][k])
    return "".join(found) if k else " ".join(found)


def _color(facts: SceneFacts, k: int) -> str:
    """The text's colour, or both ends of its gradient."""
    if facts.color_to is None:
        return (facts.color.en, facts.color.zh)[k]
    return f"{facts.color.zh}到{facts.color_to.zh}渐变色" if k else f"{facts.color.en}-to-{facts.color_to.en}"


def _ground(facts: SceneFacts, k: int) -> str:
    assert facts.ground is not None
    names = [(c.en, c.zh)[k] for c in facts.ground.colors]
    if len(names) > 1:
        return f"从{names[0]}到{names[1]}的渐变背景" if k else f"a background that turns from {names[0]} to {names[1]}"
    if facts.ground.paper:
        return f"{names[0]}的纸" if k else f"{names[0]} paper"
    return f"{names[0]}背景" if k else f"a {names[0]} background"


def _family(facts: SceneFacts, language: CaptionLanguage, rng: np.random.Generator) -> dict[str, str]:
    """A template's name and its texts: all of them in reading order, and some others than the main one."""
    assert facts.family is not None
    rest = [text for _, text in facts.texts if text != facts.text]
    joint = "、" if language == "zh" else ", "
    words = {
        "family": facts.family[language],
        "a_family": f"a {facts.family['en']}" if language == "en" else facts.family["zh"],
    }
    if rest:
        some = [rest[int(i)] for i in sorted(rng.permutation(len(rest))[:3])]
        words["some"] = joint.join(quoted(text, language) for text in some)
        words["every"] = joint.join(quoted(text, language) for text in rest)
    return words


def _medium(facts: SceneFacts, k: int) -> dict[str, str]:
    medium = MEDIA[facts.medium or ""]
    if k:
        verb = VERBS[medium.en][1]
        on = {"用粉笔写着": "用粉笔写在"}.get(verb, verb.removesuffix("着") + "在")
        return {"a_medium": CLASSIFIERS.get(medium.en, "一块") + medium.zh, "verb_on": on}
    return {"a_medium": f"a {medium.en}"}
