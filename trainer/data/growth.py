"""Which dataset each phase is trained on: what there is when the phase begins, and that to the end of the phase.

    dataset ──the phase begins──> OUT/datasets/DIGEST/   hard links of its shards and manifest, a copy of dataset.json
                                                         (of one in an object store copies, and which versions of shards)
                                  OUT/datasets.json      [{phase, digest, rows}]

The pipeline replaces whole files and never writes into one, so links keep what a phase began with, whatever becomes of
the dataset: a training that goes on in the middle of a phase has the same rows under the same numbers. Links cost no
space until the dataset has other files. Where there can be none, the dataset itself has to stay; so do the shards in an
object store: other decisions over them disturb nothing, one that was replaced is noticed and not read.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow.compute as pc

from configs import UserError
from configs.files import created_once, replace_text
from configs.storage import ObjectPath
from pipeline.dataset import INDEX, Dataset
from trainer.data.folder import Data
from trainer.order.order import Order
from trainer.state.folders import checkpoints

_RECORD = "datasets.json"
_LINKS = "datasets"
_COUNTED = 20_000_000
"""Samples whose ids are compared at most (chosen: 2 GB)."""


@dataclass(frozen=True)
class Begun:
    """A phase that has begun, by its name, and its dataset."""

    phase: str
    digest: str
    rows: int


class PhaseDatasets:
    """The datasets of a training into ``out``. ``live``: what ``--data`` names, as it is now. ``grow``: see FitConfig."""

    def __init__(self, out: Path, live: Data, grow: bool) -> None:
        self.out, self.live, self.grow = out, live, grow
        self._entered = False
        self._known = {entry.phase for entry in self.begun}
        self._latest = self.begun[-1].digest if self.begun else live.digest
        """Of the dataset that phases which have not begun are drawn from."""

    @property
    def begun(self) -> list[Begun]:
        """In the order in which they began: none before there is a checkpoint, until ``enter``, for a training that goes
        on with nothing begins anew. Raises UserError for a damaged record."""
        if not self._entered and not checkpoints(self.out):
            return []
        path = self.out / _RECORD
        try:
            found = json.loads(path.read_text("utf-8")) if path.exists() else []
            entries = [Begun(**entry) for entry in found]
            if any((type(e.phase), type(e.digest), type(e.rows)) != (str, str, int) for e in entries):
                raise TypeError("a phase and a digest are texts, rows a number")
            return entries
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise UserError(f"{path}: cannot be read ({error}); put it back, or take a new OUT folder") from None

    def digests(self) -> set[str]:
        """Of all datasets that there were, and of the one that there is."""
        return {self.live.digest, *(entry.digest for entry in self.begun)}

    def first(self) -> Data:
        """The dataset that the order of all phases is made from."""
        begun = self.begun
        return self._open(begun[0]) if begun else self.live

    def replay(self, order: Order, grown: Callable[[Order, Data, int], Order]) -> Order:
        """``order`` of the first dataset, as it became when later phases began with others."""
        before = None
        names = [phase.phase.name for phase in order.phases]
        for entry in self.begun:
            if before is not None and entry.digest != before and entry.phase in names:
                order = grown(order, self._open(entry), names.index(entry.phase))
            before = entry.digest
        return order

    def enter(self, phase: str) -> tuple[Data, bool]:
        """The dataset of a phase that has begun; whether phases from it on have to be drawn anew, because it began with
        another one than the order was made from."""
        self._entered = True
        dataset = self._open(next(entry for entry in self.begun if entry.phase == phase))
        if phase in self._known:
            return dataset, False
        changed = dataset.digest != self._latest
        self._known.add(phase)
        self._latest = dataset.digest
        return dataset, changed

    def begin(self, phase: str, check: Callable[[Data], object]) -> str | None:
        """Note the dataset that ``phase`` begins with, unless it has begun. Only one process may call this.

        ``check``: raises UserError for a dataset that the phase cannot be trained on; then the one before stays. Returns
        what to tell the user, or None.
        """
        begun = self.begun
        if any(entry.phase == phase for entry in begun):
            return None
        if not begun:
            self.remove_links()  # of a training that was killed before its first checkpoint
        dataset, told = self._now(begun[-1], phase, check) if begun else (self.live, None)
        told = told or self._keep(dataset)
        entries = [*begun, Begun(phase, dataset.digest, dataset.rows)]
        replace_text(self.out / _RECORD, json.dumps([asdict(e) for e in entries], indent=2) + "\n")
        return told

    def kept_against(self, phase: str) -> str | None:
        """What to tell when a training goes on in the middle of ``phase`` and ``--data`` has lost samples of it."""
        entry = next((entry for entry in self.begun if entry.phase == phase), None)
        if entry is None or entry.digest == self.live.digest or entry.rows > _COUNTED:
            return None
        now = self.live.manifest(["id"])["id"].combine_chunks()
        there = pc.is_in(self._open(entry).manifest(["id"])["id"], value_set=now)
        lost = entry.rows - pc.sum(there).as_py()
        if not lost:
            return None
        return (
            f"phase {phase}: goes on with the dataset that it began with, {lost:,} of whose {entry.rows:,} samples are not in "
            "--data any more; where they must not be trained on (a takedown), take a new OUT with --from CHECKPOINT"
        )

    def remove_links(self) -> None:
        """When all is trained."""
        shutil.rmtree(self.out / _LINKS, ignore_errors=True)

    def _now(self, before: Begun, phase: str, check: Callable[[Data], object]) -> tuple[Data, str | None]:
        """The dataset as it is now, or that of the phase before where the new one cannot be taken."""
        if not self.grow or not isinstance(self.live, Dataset):
            return self._open(before), None
        try:
            dataset = Dataset.open(self.live.path)
            if dataset.digest == before.digest:
                return dataset, None
            self._keep(dataset)
            check(dataset)
        except UserError as error:
            return self._open(before), f"phase {phase}: goes on with the dataset of phase {before.phase}: {error}"
        self.live = dataset
        return dataset, (
            f"phase {phase}: the dataset has changed: {dataset.rows:,} samples, digest {dataset.digest[:12]}; phase "
            f"{before.phase} had {before.rows:,}, digest {before.digest[:12]}"
        )

    def _open(self, entry: Begun) -> Data:
        """Raises UserError where the dataset of a phase is gone."""
        links = self._links(entry.digest)
        if links.exists():
            return Dataset.open(links)
        if self.live.digest != entry.digest and isinstance(self.live, Dataset):
            self.live = Dataset.open(self.live.path)  # another rank has seen it grow
        if self.live.digest != entry.digest:
            raise UserError(
                f"--data {self.live.path}: phase {entry.phase} began with a dataset of {entry.rows:,} samples and digest "
                f"{entry.digest[:12]}, this one has {self.live.rows:,} and {self.live.digest[:12]}; put that one back, or "
                "take a new OUT folder (with --from, it goes on from a checkpoint of this one)"
            )
        return self.live

    def _links(self, digest: str) -> Path:
        return self.out / _LINKS / digest[:16]

    def _keep(self, dataset: Data) -> str | None:
        """Link the dataset's files under ``out``; a line where that cannot be done. Raises UserError where they changed
        meanwhile."""
        if self._links(dataset.digest).exists() or not isinstance(dataset, Dataset):
            return None
        if isinstance(dataset.path, ObjectPath):
            self._copy_manifest(dataset)
            return None
        try:
            with created_once(self._links(dataset.digest), durable=False) as folder:
                for name in dataset.about["files"]:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    os.link(dataset.path / name, folder / name)
                shutil.copyfile(dataset.path / INDEX, folder / INDEX)
                if Dataset.open(folder).digest != dataset.digest:
                    raise UserError(f"dataset {dataset.path}: was replaced while it was opened")
        except FileNotFoundError as error:
            raise UserError(f"dataset {dataset.path}: is being written: {error.filename} is gone") from None
        except OSError as error:
            return (
                f"dataset {dataset.path}: its files cannot be linked into {self.out} ({error.strerror}): leave them as they "
                "are until the training ends"
            )
        return None

    def _copy_manifest(self, dataset: Dataset) -> None:
        """What is kept of a dataset in an object store: its manifest, and which versions of which shards belong to it."""
        about = dataset.about | {"data_in_store": str(dataset.data)}
        with created_once(self._links(dataset.digest), durable=False) as folder:
            (folder / "manifest").mkdir(parents=True)
            try:
                for path in dataset.manifest_files:
                    (folder / "manifest" / path.name).write_bytes(path.read_bytes())
            except FileNotFoundError:
                raise UserError(f"dataset {dataset.path}: is being written") from None
            (folder / INDEX).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            Dataset.open(folder)
            if Dataset.read_index(dataset.path).digest != dataset.digest:
                raise UserError(f"dataset {dataset.path}: was replaced while it was opened")
