"""Faces in a picture and whether they are hidden: S6 re-sorts portraits, and takes out mosaics and blurs.

    pixels ──gray, two sizes──> cascade ──> boxes ──eyes, or something that hides──> faces, face_area
                                                 └─hiding.py──────────────────────> face_hidden

The report names the operators and no method. Viola-Jones cascades (2001) lie in the wheel of OpenCV, so the default
needs no download: of 100 faces of lfw_subset, 25 px enlarged fourfold, it finds 98, upright and from the front alone;
a better cascade goes by path. A box counts when it holds an eye, which no chart and no tile has, or when it is hidden,
since then no eye is to be seen. A second pass at half the size and softened finds faces under a mosaic, whose steps
would be edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from configs.errors import RunFailed
from configs.files import find_package, lacking
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture
from pipeline.annotators.hiding import blurred, mosaic, shrunk
from pipeline.annotators.model_folder import fingerprint

if TYPE_CHECKING:
    from configs.pictures import Limits

_FACE, _EYE = "haarcascade_frontalface_alt2.xml", "haarcascade_eye.xml"

_GROWTH = 1.15
"""From one size of face that is looked for to the next; chosen: 1.1 finds as many and takes half as long again."""
_PASSES = ((1.0, 0.0, 5), (0.5, 2.0, 3))
"""Of each pass the size, the Gaussian that softens it (px) and how many boxes must lie together; chosen."""
_HIDDEN = 0.78
"""``face_hidden`` from which a box without an eye is a face all the same; chosen: diagrams reach 0.75, see hiding.py."""
_EYES_AT = 200
"""px to which the width of a face is brought when eyes are looked for; chosen."""

Box = tuple[int, int, int, int]
"""Left, top, width, height, px."""


@dataclass(frozen=True)
class FacesConfig(AnnotatorConfig):
    """``edge``: px to which the longer side is shrunk while faces are looked for. ``smallest``: px that a face must have
    there. ``cascade``: the path of another cascade of OpenCV, an XML file; null: the one in its wheel."""

    kind: Literal["faces"]
    edge: int = 480  # chosen
    smallest: int = 24  # chosen: a twentieth of the longer side
    cascade: str | None = None

    files = ("cascade",)

    def __post_init__(self) -> None:
        if not 64 <= self.edge <= 4000:
            raise ValueError(f"edge: from 64 to 4000 px, found {self.edge}")
        if not 12 <= self.smallest <= self.edge:
            raise ValueError(f"smallest: from 12 px to edge, found {self.smallest}")

    def make(self, limits: Limits) -> FacesAnnotator:
        return FacesAnnotator(self)


class FacesAnnotator(Annotator):
    """Counts and measures the faces of every row that was not rendered by a recipe."""

    name = "faces"
    version = "1"
    input: ClassVar[Literal["pixels"]] = "pixels"
    columns = tuple(schema.FACES.values())

    def __init__(self, config: FacesConfig | None = None) -> None:
        self.config = config or FacesConfig("faces")
        if self.config.cascade and self._cascade().is_file():
            self.version = f"{FacesAnnotator.version}-{fingerprint(self._cascade())}"  # type: ignore[misc]
        self._face: Any = None
        self._eye: Any = None

    def missing(self) -> str | None:
        path = self._cascade()
        return lacking("cv2") or (None if path.is_file() else f"the cascade {path} is not there")

    def applies_to(self, row: Any) -> bool:
        return row.get("recipe") is None

    def setup(self) -> None:
        import cv2

        cv2.setNumThreads(1)  # the pools of workers share the cores
        try:
            self._face, self._eye = (cv2.CascadeClassifier(str(path)) for path in (self._cascade(), _in_wheel(_EYE)))
            broken = self._face.empty()
        except (cv2.error, SystemError):  # what the bindings make of a file that is no cascade
            broken = True
        if broken:
            raise RunFailed(f"annotator faces: {self._cascade()} is no cascade of OpenCV (field 'cascade')")

    def _cascade(self) -> Path:
        return Path(self.config.cascade) if self.config.cascade else _in_wheel(_FACE)

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        return [self._annotate(picture.pixels) for picture in pictures if picture.pixels is not None]

    def _annotate(self, pixels: np.ndarray) -> dict[str, Any]:
        """``pixels``: uint8 (H, W, 3). ``faces``: how many. ``face_area``: area of their boxes over the picture's,
        0..1. ``face_hidden``: of the most hidden face the larger of mosaic and blur, 0..1; null without faces."""
        import cv2

        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        hidden = {box: _hidden(gray, box) for box in self._boxes(gray)}
        faces = [box for box, value in hidden.items() if value >= _HIDDEN or self._has_eye(gray, box)]
        area = sum(width * height for _, _, width, height in faces) / gray.size
        return {
            "faces": len(faces),
            "face_area": min(1.0, area),
            "face_hidden": max((hidden[box] for box in faces), default=None),
        }

    def _boxes(self, gray: np.ndarray) -> list[Box]:
        """Boxes in px of ``gray``, those of the second pass behind the others where they are new."""
        import cv2

        found: list[Box] = []
        for size, sigma, votes in _PASSES:
            small = shrunk(gray, self.config.edge * size)
            small = (cv2.GaussianBlur(small, (0, 0), sigma) if sigma else small).astype(np.uint8)
            scale, least = gray.shape[1] / small.shape[1], self.config.smallest
            boxes = self._face.detectMultiScale(small, _GROWTH, votes, minSize=(least, least))
            for left, top, width, height in sorted((np.asarray(boxes).reshape(-1, 4) * scale).astype(int).tolist()):
                box = (left, top, width, height)
                if not any(_is_same(box, other) for other in found):
                    found.append(box)
        return found

    def _has_eye(self, gray: np.ndarray, box: Box) -> bool:
        """Whether the upper three fifths hold an eye of a tenth to nearly half of the width."""
        import cv2

        left, top, width, height = box
        upper = gray[top : top + height * 3 // 5, left : left + width]
        scale = _EYES_AT / width
        enlarged = cv2.resize(upper, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        least, most = _EYES_AT // 10, _EYES_AT * 9 // 20
        return len(self._eye.detectMultiScale(enlarged, 1.1, 3, minSize=(least, least), maxSize=(most, most))) > 0


def _hidden(gray: np.ndarray, box: Box) -> float:
    left, top, width, height = box
    region = shrunk(gray[top : top + height, left : left + width])
    return max(mosaic(region), blurred(gray, *box))


def _is_same(one: Box, other: Box) -> bool:
    """Whether the middle of either lies in the other."""
    return _holds(one, other) or _holds(other, one)


def _holds(box: Box, other: Box) -> bool:
    x, y = other[0] + other[2] / 2, other[1] + other[3] / 2
    return box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3]


def _in_wheel(name: str) -> Path:
    folder = find_package("cv2")
    return (folder or Path("cv2")) / "data" / name
