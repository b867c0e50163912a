"""A layout with everything chosen: repeats and choices carried out, texts filled, what has no reason to be there left out.

node ──expand(node, facts)──> Item: the node, its children, its text
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.language import CaptionLanguage
from synth.strategies.template.facts import in_language, names_in, told
from synth.strategies.template.formula import evaluate
from synth.strategies.template.nodes import AnyNode, ChartNode, Choice, Group, Icon, Picture, Repeat, TextNode
from synth.strategies.template.slots import Filler, known


@dataclass(frozen=True, eq=False)
class Item:
    """``said``: the text of a text node, the name of an icon, the unit of a chart, the themes of a picture. ``bound``:
    whether facts are in that text, which other texts may tell of too. ``indent``: in digits. ``records``: those of a chart."""

    node: AnyNode
    children: tuple[Item, ...] = ()
    said: str = ""
    bound: bool = False
    indent: float = 0.0
    records: tuple[Mapping[str, Any], ...] = ()

    @property
    def flex(self) -> float:
        """Its share of what is left; a group with flex 0 takes as many as it has children."""
        return self.node.flex or float(len(self.children))


class Expander:
    """Carries out the choices of one picture."""

    def __init__(self, language: CaptionLanguage, filler: Filler, rng: np.random.Generator) -> None:
        self._language, self._filler, self._rng = language, filler, rng

    def expand(self, node: AnyNode, facts: Mapping[str, Any]) -> list[Item]:
        """The items that a node becomes: none, one or several. Raises ValueError for a fact that there is not."""
        if node.when and not evaluate(node.when, facts):
            return []
        if node.chance < 1 and self._rng.random() >= node.chance:
            return []
        if isinstance(node, Choice):
            return self.expand(node.of[int(self._rng.integers(len(node.of)))], facts)
        if isinstance(node, Repeat):
            return self._repeat(node, facts)
        if isinstance(node, Group):
            return [Item(node, tuple(item for child in node.of for item in self.expand(child, facts)))]
        if isinstance(node, TextNode):
            indent = float(evaluate(node.indent, facts)) if node.indent else 0.0
            bound = not node.slot and bool(names_in(self._say(node)) & set(facts))
            return [Item(node, said=self.said(node, facts), bound=bound, indent=indent)]
        if isinstance(node, Icon):
            return [Item(node, said=told(node.icon, facts, self._language))]
        if isinstance(node, Picture):
            return [Item(node, said=told(node.about, facts, self._language))]
        if isinstance(node, ChartNode):
            unit = told(in_language(node.unit, self._language), facts, self._language)
            return [Item(node, said=unit, records=tuple(evaluate(node.over, facts)))]
        return [Item(node)]

    def said(self, node: TextNode, facts: Mapping[str, Any]) -> str:
        """A node's text, empty where nothing is to be said."""
        if node.slot:
            text = self._filler.fill(node.slot)
        else:
            text = self._say(node)
            words = {n: self._filler.fill(n) for n in sorted(names_in(text)) if n not in facts and known(n)}
            text = told(text, {**words, **facts}, self._language)
        return node.before + text + node.after if text else ""

    def _say(self, node: TextNode) -> str:
        return node.say[self._language] if isinstance(node.say, dict) else in_language(node.say, self._language)

    def _repeat(self, node: Repeat, facts: Mapping[str, Any]) -> list[Item]:
        if not node.over:
            count = int(self._rng.integers(node.count[0], node.count[1] + 1))
            return [item for _ in range(count) for item in self.expand(node.of, facts)]
        records = evaluate(node.over, facts)
        part, of = node.part
        records = records[len(records) * (part - 1) // of : len(records) * part // of]
        return [
            item
            for number, record in enumerate(records, 1)
            for item in self.expand(node.of, {**facts, **record, "number": number})
        ]
