"""The config of a run: one root, with each component's own config beside the component."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field

from configs import UserError
from configs.pictures import Limits
from pipeline import schema
from pipeline.annotators import AnnotateConfig, Annotator, build
from pipeline.cluster import ClusterConfig
from pipeline.decide.balance import BalanceConfig
from pipeline.decide.captions import CaptionConfig
from pipeline.decide.dedup import DedupConfig
from pipeline.decide.rules import DecideConfig
from pipeline.pack.shards import PackConfig
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import AnySource
from pipeline.store.ledger import FragmentsConfig

FROZEN_FIELDS = ("sources", "limits", "fragments", "annotate", "plugins")
"""Fields that decide what committed fragments hold; they are fixed when a run is started."""


@dataclass(frozen=True)
class PipelineConfig:
    """What ``configs/pipeline/*.yaml`` hold. ``plugins``: annotators of your own, as ``package.module:Class``."""

    sources: tuple[AnySource, ...]
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    fragments: FragmentsConfig = field(default_factory=FragmentsConfig)
    guard: GuardConfig = field(default_factory=GuardConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    annotate: AnnotateConfig = field(default_factory=AnnotateConfig)
    plugins: tuple[str, ...] = ()
    dedup: DedupConfig = field(default_factory=DedupConfig)
    captions: CaptionConfig = field(default_factory=CaptionConfig)
    decide: DecideConfig = field(default_factory=DecideConfig)
    balance: BalanceConfig = field(default_factory=BalanceConfig)
    pack: PackConfig = field(default_factory=PackConfig)

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("field 'sources': expected at least one source")
        names = [source.name for source in self.sources]
        for index, name in enumerate(names):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
                raise ValueError(f"field 'sources.{index}.name': letters, digits, '_', '.', '-', found '{name}'")
            if name == "all":
                raise ValueError(f"field 'sources.{index}.name': 'all' is the name of the sum over sources")
            if name in names[:index]:
                raise ValueError(f"field 'sources.{index}.name': '{name}' is given twice; names are unique")

    def annotators(self) -> list[Annotator]:
        """All annotators of this run, ready to travel. Raises UserError for a required one that cannot run here."""
        plugins = [load_plugin(path, f"plugins.{i}") for i, path in enumerate(self.plugins)]
        annotators = [*build(self.annotate, self.limits), *plugins]
        for index, plugin in enumerate(plugins):
            others = [a for a in annotators if a is not plugin]
            if plugin.name in (a.name for a in others):
                raise UserError(f"field 'plugins.{index}': there is another annotator named '{plugin.name}'")
            taken = sorted(set(plugin.columns) & {c for a in others for c in a.columns})
            if taken:
                raise UserError(f"field 'plugins.{index}': another annotator fills {', '.join(taken)} as well")
        return annotators


def load_plugin(path: str, where: str) -> Annotator:
    """Import ``package.module:Class`` and make one. Raises UserError naming the field."""
    module, _, name = path.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UserError(f"field '{where}': '{path}' cannot be imported as package.module:Class: {error}") from None
    if not isinstance(made, Annotator):
        raise UserError(f"field '{where}': '{path}' is no annotator (pipeline/annotators/base.py)")
    unknown = sorted(set(made.columns) - set(schema.COLUMNS))
    if unknown:
        raise UserError(f"field '{where}': '{path}' fills columns that pipeline/schema.py lacks: {', '.join(unknown)}")
    return made
