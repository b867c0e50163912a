"""What an annotator is: something that looks at pictures and adds columns of scores.

The engine (``pipeline/engine``) owns reading, guarding, batching, committing and failures; an
annotator only says which columns it fills, what it needs to see, and computes them.

    config ──make──> annotator
    samples/F ──decode once──> Picture ──annotate──> {column: value} ──> scores/<name>/F

An annotator is picklable before ``setup`` (it travels to its worker) and need not be after it.
"""

from __future__ import annotations

import dataclasses
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from configs.errors import UserError
from pipeline.schema import Column

if TYPE_CHECKING:
    from configs.pictures import Limits


@dataclass
class Picture:
    """One row as an annotator sees it.

    ``row``: the sample's scalar columns and, where ``input`` is ``bytes``, ``image``.
    ``pixels``: uint8 (H, W, 3) RGB, oriented, alpha flattened onto white; None unless ``input`` is ``pixels``.
    ``thumbnails``: edge length in px -> uint8 (edge, edge, 3), the whole picture resized by the shared decode.
    """

    row: Mapping[str, Any]
    pixels: np.ndarray | None = None
    thumbnails: Mapping[int, np.ndarray] = field(default_factory=dict)


class Annotator(ABC):
    """Fills ``columns`` for rows it applies to; every other row gets the state ``not_applicable``."""

    name: ClassVar[str]
    """Letters, digits and underscores; names the folder scores/<name> and the column <name>_state."""
    columns: ClassVar[tuple[Column, ...]]
    """Columns of ``pipeline/schema.py``, or new ones declared here: they join scores, shards, manifest and rules."""
    aside: ClassVar[tuple[Column, ...]] = ()
    """Large columns that go to embeddings/<name> instead, which decisions, shards and rules never read."""
    version: ClassVar[str]
    """Part of the run's identity: a changed definition gets a new version."""
    input: ClassVar[Literal["pixels", "thumbnail", "bytes"]]
    """``pixels``: runs inside the shared decode. ``thumbnail``: gets a resized copy. ``bytes``: decodes for itself."""
    nested: ClassVar[tuple[str, ...]] = ()
    """Nested columns of the samples that a ``bytes`` annotator reads beside the image."""
    thumbnail_edge: ClassVar[int] = 0
    """Edge in px of the picture that a ``thumbnail`` annotator gets, at most 448."""
    batch_widths: tuple[int, ...] = (1,)
    """Fixed ladder of batch sizes; batches are formed inside a fragment, so batch-mates are always the same."""
    gpus: float = 0.0
    """Share of a GPU that each worker takes of the cluster; 0 runs on CPUs."""

    def missing(self) -> str | None:
        """Why this annotator cannot run here (a model that is not installed), or None when it can."""
        return None

    def applies_to(self, row: Mapping[str, Any]) -> bool:
        """Whether the row is judged by this annotator at all."""
        return True

    def setup(self) -> None:  # noqa: B027 - most annotators have nothing to load
        """Load models; called once in the worker, before the first ``annotate``."""

    @abstractmethod
    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        """One dict of ``columns`` and ``aside`` per picture, in order. An exception fails the batch, which is then split."""


@dataclass(frozen=True)
class AnnotatorConfig(ABC):
    """An entry of ``annotate:``. ``required``: the run shall not start where the annotator cannot run; one that is
    not required is skipped there, and its columns stay null. A subclass adds its settings as fields."""

    kind: str
    required: bool = field(default=False, kw_only=True)

    files: ClassVar[tuple[str, ...]] = ()
    """Its fields that are paths of files."""
    folders: ClassVar[tuple[str, ...]] = ()
    """Its fields that are paths of folders, or names where there is no such folder."""

    def absolute(self) -> Self:
        """The entry with absolute paths, so that it means the same in any working directory."""
        given = {name: getattr(self, name) for name in (*self.files, *self.folders)}
        paths = {n: p for n, p in given.items() if p and (n in self.files or Path(p).is_dir())}
        return dataclasses.replace(self, **{name: os.path.abspath(path) for name, path in paths.items()})

    def check(self, where: str) -> None:
        """Raise UserError naming the field where a file of ``files`` is not there."""
        for name in self.files:
            path = getattr(self, name)
            if path is not None and not Path(path).is_file():
                raise UserError(f"field '{where}.{name}': '{path}' is no file")

    @abstractmethod
    def make(self, limits: Limits) -> Annotator:
        """The annotator with these settings; ``limits`` are for one that decodes for itself."""
