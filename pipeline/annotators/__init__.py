"""Annotators: what looks at pictures and adds columns of scores. ``base.py`` says what one is.

To add one: a module with its config and its class here, a line in ``ANNOTATORS``, a field in
``AnnotateConfig``, its columns in ``pipeline/schema.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from configs.errors import UserError
from configs.pictures import Limits
from pipeline.annotators.base import Annotator, Picture
from pipeline.annotators.measure import MeasureAnnotator, MeasureConfig
from pipeline.annotators.nsfw import NsfwAnnotator, NsfwConfig
from pipeline.annotators.ocr import OcrAnnotator, OcrConfig
from pipeline.annotators.verify import VerifyAnnotator, VerifyConfig

__all__ = ["ANNOTATORS", "AnnotateConfig", "Annotator", "Picture", "build"]

ANNOTATORS: dict[str, type[Annotator]] = {
    "measure": MeasureAnnotator,
    "nsfw": NsfwAnnotator,
    "ocr": OcrAnnotator,
    "verify": VerifyAnnotator,
}
"""Every annotator by the name under which its scores are stored."""


@dataclass(frozen=True)
class AnnotateConfig:
    """``run``: which annotators run. ``require``: those without which the run shall not start; one that is merely
    missing leaves its columns null. The other fields are the settings of the annotator of that name."""

    run: tuple[str, ...] = ("measure", "nsfw", "ocr")
    require: tuple[str, ...] = ()
    measure: MeasureConfig = field(default_factory=MeasureConfig)
    nsfw: NsfwConfig = field(default_factory=NsfwConfig)
    ocr: OcrConfig = field(default_factory=OcrConfig)
    verify: VerifyConfig = field(default_factory=VerifyConfig)

    def __post_init__(self) -> None:
        for where, names, allowed in (("run", self.run, tuple(ANNOTATORS)), ("require", self.require, self.run)):
            for name in names:
                if name not in allowed:
                    raise ValueError(f"{where}: no annotator '{name}'; allowed: {', '.join(allowed)}")
                if names.count(name) > 1:
                    raise ValueError(f"{where}: '{name}' stands twice")


def build(config: AnnotateConfig, limits: Limits | None = None) -> list[Annotator]:
    """The annotators of a run, ready to travel to their workers; ``limits`` for those that decode for themselves.

    Raises UserError when a required one cannot run here.
    """
    made: dict[str, Annotator] = {
        "measure": MeasureAnnotator(config.measure),
        "nsfw": NsfwAnnotator(config.nsfw),
        "ocr": OcrAnnotator(config.ocr, limits),
        "verify": VerifyAnnotator(config.verify, limits),
    }
    for name in config.require:
        if reason := made[name].missing():
            raise UserError(f"field 'annotate.require': {name} cannot run here: {reason}")
    return [made[name] for name in config.run]
