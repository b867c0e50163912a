"""Where pictures come from: one file a source, each a dataclass derived from ``Source``.

The sources that ship are named in the union of pipeline/config.py; any other one by ``kind: package.module:Class``.
"""

from __future__ import annotations

from pipeline.sources.base import Reader, Refused, Remark, Source, picture_row
from pipeline.sources.folder import FolderSource
from pipeline.sources.synth import SynthSource
from pipeline.store.ledger import Entry

__all__ = ["Entry", "FolderSource", "Reader", "Refused", "Remark", "Source", "SynthSource", "picture_row"]
