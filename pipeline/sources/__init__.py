"""Where pictures come from. A new kind is a file here and an arm of ``SourceConfig``."""

from __future__ import annotations

from pipeline.sources.base import Reader, Refused
from pipeline.sources.folder import FolderSource
from pipeline.sources.synth import SynthSource

SourceConfig = FolderSource | SynthSource
"""Told apart by their field ``kind``."""

__all__ = ["FolderSource", "Reader", "Refused", "SourceConfig", "SynthSource"]
