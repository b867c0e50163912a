"""Where everything of a run lies. Pure paths: nothing here touches the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """The layout of a run; ``F`` is the name of a fragment, ``<source>-00000``."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "run.yaml"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def timing(self) -> Path:
        """Seconds of each step, a line per call."""
        return self.path / "timing.jsonl"

    @property
    def decisions(self) -> Path:
        return self.path / "decisions"

    @property
    def dataset(self) -> Path:
        return self.path / "dataset"

    @property
    def packed(self) -> Path:
        """What each shard of dataset/data was packed from."""
        return self.path / "packed.json"

    @property
    def compact(self) -> Path:
        """Finished fragments in few files, for decisions (store/compact.py); may be removed at any time."""
        return self.path / "compact"

    @property
    def added(self) -> Path:
        """Which sources came after the run was finished."""
        return self.path / "added"

    @property
    def removed(self) -> Path:
        """Tombstones of what was taken down, and receipts."""
        return self.path / "removed"

    @property
    def retrieved(self) -> Path:
        """What ``retrieve`` found, by the name it was given."""
        return self.path / "retrieved"

    def ledger(self, source: str) -> Path:
        """Folder of every input of a source, written when it is listed (store/ledger.py)."""
        return self.ledgers / source

    @property
    def ledgers(self) -> Path:
        return self.path / "ledger"

    def samples(self, fragment: str) -> Path:
        return self.path / "samples" / f"{fragment}.parquet"

    def downloads(self, fragment: str) -> Path:
        """How each URL of a fragment ended."""
        return self.path / "downloads" / f"{fragment}.parquet"

    def scores(self, annotator: str, fragment: str) -> Path:
        return self.path / "scores" / annotator / f"{fragment}.parquet"

    def embeddings(self, annotator: str, fragment: str) -> Path:
        """What the annotator keeps aside of the same rows."""
        return self.path / "embeddings" / annotator / f"{fragment}.parquet"

    def failures(self, fragment: str) -> Path:
        return self.path / "failures" / f"{fragment}.parquet"
