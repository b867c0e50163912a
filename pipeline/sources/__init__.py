"""Where pictures come from: one file a source, each a dataclass derived from ``Source``.

The sources that ship are the arms of ``AnySource``; any other one is named by ``kind: package.module:Class``.
"""

from __future__ import annotations

from typing import Annotated

from configs.kinds import OpenKind
from pipeline.sources.base import Reader, Refused, Remark, Source, picture_row
from pipeline.sources.edits import EditsSource
from pipeline.sources.folder import FolderSource
from pipeline.sources.parquet import ParquetSource
from pipeline.sources.synth import SynthSource
from pipeline.sources.urls import UrlsSource
from pipeline.sources.webdataset import WebDatasetSource
from pipeline.store.ledger import Entry

AnySource = Annotated[
    FolderSource | UrlsSource | WebDatasetSource | ParquetSource | EditsSource | SynthSource, OpenKind(Source)
]
"""What the config's ``sources`` hold."""

__all__ = [
    "AnySource",
    "EditsSource",
    "Entry",
    "FolderSource",
    "ParquetSource",
    "Reader",
    "Refused",
    "Remark",
    "Source",
    "SynthSource",
    "UrlsSource",
    "WebDatasetSource",
    "picture_row",
]
