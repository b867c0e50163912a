"""Annotators: what looks at pictures and adds columns of scores. ``base.py`` says what one is.

    annotate: [{kind: measure}, {kind: ocr, min_score: 0.7}, {kind: my_package.redness:RednessConfig}]

To add one: a file here with its config and its class, the config's name in ``AnyAnnotator``, its columns in
``pipeline/schema.py``. One of your own needs none of that: its file lies anywhere, its columns stand in the file.
"""

from __future__ import annotations

from typing import Annotated

from configs.kinds import OpenKind
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture
from pipeline.annotators.build import build, check
from pipeline.annotators.captioner import CaptionerConfig
from pipeline.annotators.chinese_clip import ChineseClipConfig
from pipeline.annotators.classify import ClassifyConfig
from pipeline.annotators.clip import ClipConfig
from pipeline.annotators.codes import CodesConfig
from pipeline.annotators.faces import FacesConfig
from pipeline.annotators.measure import MeasureConfig
from pipeline.annotators.nsfw import NsfwConfig
from pipeline.annotators.ocr import OcrConfig
from pipeline.annotators.provenance import ProvenanceConfig
from pipeline.annotators.verify import VerifyConfig

__all__ = ["DEFAULT", "Annotator", "AnnotatorConfig", "AnyAnnotator", "Picture", "build", "check"]

_Ours = (
    MeasureConfig | NsfwConfig | OcrConfig | VerifyConfig  # S1, S2, S4
    | ClipConfig | ChineseClipConfig | CaptionerConfig  # S3, captions
    | CodesConfig | ProvenanceConfig | FacesConfig | ClassifyConfig  # S5, S6, S7
)  # fmt: skip

AnyAnnotator = Annotated[_Ours, OpenKind(AnnotatorConfig)]
"""An entry of ``annotate:``."""

DEFAULT = (MeasureConfig("measure"), NsfwConfig("nsfw"), OcrConfig("ocr"))
"""What runs where a config does not say: everything that suits pictures whose text is not known."""
