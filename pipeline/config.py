"""The config of a run: one root, with each component's own config beside the component."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from configs import load, load_tree, to_plain
from configs.pictures import Limits
from configs.storage import StorageConfig
from pipeline.annotators import DEFAULT, Annotator, AnyAnnotator, build, old_form
from pipeline.cluster import ClusterConfig
from pipeline.decide.balance import BalanceConfig
from pipeline.decide.captions import CaptionConfig
from pipeline.decide.contamination import DecontaminateConfig
from pipeline.decide.dedup import DedupConfig
from pipeline.decide.rules import DecideConfig
from pipeline.downloads.config import DownloadsConfig
from pipeline.pack.shards import PackConfig
from pipeline.sandbox.guard import GuardConfig
from pipeline.sources import AnySource
from pipeline.store.ledger import FragmentsConfig
from pipeline.tokens import LATIN, check_languages

FROZEN_FIELDS = ("sources", "limits", "fragments", "languages", "annotate")
"""Fields that decide what committed fragments hold; they are fixed when a run is started."""


@dataclass(frozen=True)
class PipelineConfig:
    """What ``configs/pipeline/*.yaml`` hold. ``languages``: ISO 639 codes; a long caption in Latin letters that is surely
    another one of them than English has the language ``other``."""

    sources: tuple[AnySource, ...]
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    fragments: FragmentsConfig = field(default_factory=FragmentsConfig)
    downloads: DownloadsConfig = field(default_factory=DownloadsConfig)
    languages: tuple[str, ...] = LATIN
    guard: GuardConfig = field(default_factory=GuardConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    annotate: tuple[AnyAnnotator, ...] = DEFAULT
    dedup: DedupConfig = field(default_factory=DedupConfig)
    captions: CaptionConfig = field(default_factory=CaptionConfig)
    decontaminate: DecontaminateConfig = field(default_factory=DecontaminateConfig)
    decide: DecideConfig = field(default_factory=DecideConfig)
    balance: BalanceConfig = field(default_factory=BalanceConfig)
    pack: PackConfig = field(default_factory=PackConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("field 'sources': expected at least one source")
        if self.languages != LATIN:
            check_languages(self.languages)
        names = [source.name for source in self.sources]
        for index, name in enumerate(names):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
                raise ValueError(f"field 'sources.{index}.name': letters, digits, '_', '.', '-', found '{name}'")
            if re.fullmatch(r"(.*-)?r\d+", name):
                raise ValueError(f"field 'sources.{index}.name': '{name}' would be the name of what is tried again")
            if name == "all":
                raise ValueError(f"field 'sources.{index}.name': 'all' is the name of the sum over sources")
            if name in names[:index]:
                raise ValueError(f"field 'sources.{index}.name': '{name}' is given twice; names are unique")

    def annotators(self) -> list[Annotator]:
        """All annotators of this run, ready to travel. Raises UserError for those that cannot run together."""
        return build(self.annotate, self.limits)


def load_config(path: Path, overrides: Sequence[str] = ()) -> PipelineConfig:
    """A config as a user wrote it. Raises UserError; for a form of older versions with the form to write now."""
    for item in overrides:
        old_form.refuse_setting(item)
    return load(path, PipelineConfig, overrides, prepare=_with_annotators)


def fields_in(path: Path, overrides: Sequence[str]) -> list[str]:
    """The fields of a config that a user gave, in its file or by ``--set``."""
    named = dict(load_tree(path))
    return list(dict.fromkeys([*named, *(item.split("=")[0].split(".")[0].strip() for item in overrides)]))


def _with_annotators(tree: dict[str, Any], where: str) -> dict[str, Any]:
    """The fields of a config with the annotators that run by default, so that ``--set annotate.0.x=`` finds them."""
    tree = old_form.refuse(tree, where)
    return tree if "annotate" in tree else {**tree, "annotate": [to_plain(config) for config in DEFAULT]}


def load_run_config(path: Path, overrides: Sequence[str] = ()) -> PipelineConfig:
    """The config that a run wrote down, also in the form of older versions. Raises UserError."""
    for item in overrides:
        old_form.refuse_setting(item)
    return load(path, PipelineConfig, overrides, prepare=old_form.translate)
