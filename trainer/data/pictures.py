"""The stored pictures of a rank's part of a batch: read together, decoded where they are asked for.

    rows ─read_pictures, once─> StoredPictures ─of(row)─> SamplePictures ─decode, resize, cut─> uint8 (H, W, 3)

Decoding and resizing let go of the interpreter, so several threads may ask at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL.Image import Image, fromarray

from configs import RunFailed
from configs.pictures import DecodeError, Limits, decode
from pipeline.dataset import Pictures
from trainer.data.folder import Data, PictureFolder
from trainer.data.folder_files import REMEDY
from trainer.data.resize import resize_to_cover
from trainer.order.bucket import Bucket


class StoredPictures:
    """Bytes of pictures. ``rows``: those that are wanted for sure, and whether with their references."""

    def __init__(self, data: Data, rows: Mapping[int, bool]) -> None:
        self.data = data
        numbers = sorted(rows)
        self._kept = dict(zip(numbers, data.read_pictures(numbers, [rows[n] for n in numbers]), strict=True))
        self._whole = {n for n in numbers if rows[n]}

    def of(self, row: int, references: bool = False) -> Pictures:
        """A sample's; what was not known to be wanted is read now."""
        if row not in self._kept or (references and row not in self._whole):
            (self._kept[row],) = self.data.read_pictures([row])
            self._whole.add(row)
        return self._kept[row]


class SamplePictures:
    """Implements ``trainer.tasks.base.Pictures`` for one row."""

    def __init__(self, stored: StoredPictures, row: int) -> None:
        self._stored, self._row = stored, row

    def whole(self) -> Image:
        """The target as it is stored, RGB and upright."""
        return fromarray(self._decoded("image", self._stored.of(self._row).image))

    def target(self, bucket: Bucket, keep: Sequence[int]) -> np.ndarray:
        return resize_to_cover(self._decoded("image", self._stored.of(self._row).image), bucket, keep)

    def reference(self, index: int) -> Image:
        data = self._stored.of(self._row, references=True).references[index]
        return fromarray(self._decoded(f"references.{index}", data))

    def mask(self, bucket: Bucket, keep: Sequence[int]) -> np.ndarray:
        """(H, W, 3) uint8 of a sample that has one, resized and cut as its target is."""
        (sample,) = self._stored.data.read([self._row], ["mask"])
        return resize_to_cover(self._decoded("mask", sample["mask"]), bucket, keep)

    def _decoded(self, what: str, data: bytes) -> np.ndarray:
        try:
            return decode(data, Limits())
        except DecodeError as error:
            raise self._damaged(what, error) from None

    def _damaged(self, what: str, error: DecodeError) -> RunFailed:
        data = self._stored.data
        if isinstance(data, PictureFolder):
            return RunFailed(
                f"{data.file_of(self._row, what)}: cannot be decoded: {error}; replace or remove the file, and {REMEDY}"
            )
        (sample,) = data.read([self._row], ["id"])
        return RunFailed(
            f"sample {sample['id']} (manifest row {self._row}): {what} cannot be decoded: {error}; the dataset is "
            "damaged or was made with other limits; checkpoints are safe, pack the dataset again and repeat the command"
        )
