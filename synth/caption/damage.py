"""What captions say of damaged characters: which ones they are, and what is wrong with each."""

from __future__ import annotations

from synth.caption.phrases import phrases, quoted
from synth.drawing.layers import Drawing
from synth.language import CaptionLanguage, Language

_TOLD = 3  # chosen: so many are named one by one


def damage_told(drawing: Drawing, spoken: Language) -> str:
    """Sentences to put behind a caption, empty where every character is whole."""
    language: CaptionLanguage = "zh" if spoken == "zh" else "en"
    glyphs = [g for layer in drawing.texts for line in layer.block.lines for g in line.glyphs if g.damage]
    said = phrases("damage", language)
    if len(glyphs) > _TOLD:
        return said["several"].format(number=len(glyphs))
    told = [
        said[g.damage].format(character=g.text if language == "zh" else quoted(g.text, language))
        for g in glyphs
        if g.damage
    ]
    return "".join(told) if language == "zh" else "".join(f" {sentence}" for sentence in told)
