"""QR codes and barcodes that a picture shows: the abnormal elements of S5 that a decoder finds without a doubt.

    pixels ──zxing-cpp, in all directions, at several sizes──> codes that decode ──> codes, code_formats, code_area

The report names the operator and prints no method. Only what decodes with its own checksum counts: damaged codes are
left out, because coins and tiles are found among them. Read by zxing-cpp (Apache-2.0), https://github.com/zxing-cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from configs.files import find_package, lacking
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture
from pipeline.quads import text_area

if TYPE_CHECKING:
    from configs.pictures import Limits

_FORMATS = (
    *("QRCode", "MicroQRCode", "RMQRCode", "DataMatrix", "Aztec", "PDF417", "MaxiCode"),
    *("EANUPC", "Code128", "Code39", "Code93", "DataBar"),
)
"""What is printed on things and checks itself, by a checksum or at least its own beginning and end; chosen. ITF and
Codabar check nothing and are seen in any fence."""


@dataclass(frozen=True)
class CodesConfig(AnnotatorConfig):
    """``formats``: names of ``zxingcpp.BarcodeFormat`` that are looked for."""

    kind: Literal["codes"]
    formats: tuple[str, ...] = _FORMATS  # chosen

    def __post_init__(self) -> None:
        if not self.formats:
            raise ValueError("formats: at least one, found none")
        if find_package("zxingcpp") is None:
            return
        from zxingcpp import BarcodeFormat

        for index, name in enumerate(self.formats):
            if name not in BarcodeFormat.__members__ or name == "NONE":
                known = ", ".join(sorted(set(BarcodeFormat.__members__) - {"NONE"}))
                raise ValueError(f"formats.{index}: '{name}' is no format of zxing-cpp; formats: {known}")

    def make(self, limits: Limits) -> CodesAnnotator:
        return CodesAnnotator(self)


class CodesAnnotator(Annotator):
    """Counts the codes of every row; a rendering of ours may show one, too."""

    name = "codes"
    version = "1"
    input: ClassVar[Literal["pixels"]] = "pixels"
    columns = tuple(schema.CODES.values())

    def __init__(self, config: CodesConfig | None = None) -> None:
        self.config = config or CodesConfig("codes")
        self._formats: Any = None

    def missing(self) -> str | None:
        return lacking("zxingcpp")

    def setup(self) -> None:
        from zxingcpp import BarcodeFormat

        self._formats = [BarcodeFormat[name] for name in self.config.formats]

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        return [self._annotate(picture.pixels) for picture in pictures if picture.pixels is not None]

    def _annotate(self, pixels: np.ndarray) -> dict[str, Any]:
        """``pixels``: uint8 (H, W, 3). ``codes``: how many decode. ``code_formats``: their formats, sorted, joined with +.
        ``code_area``: area of their quads over the picture's, 0..1."""
        from zxingcpp import read_barcodes

        found = read_barcodes(np.ascontiguousarray(pixels[..., ::-1]), formats=self._formats)
        height, width = pixels.shape[:2]
        return {
            "codes": len(found),
            "code_formats": "+".join(sorted({code.format.name for code in found})) or None,
            "code_area": text_area([_quad(code.position) for code in found], width, height),
        }


def _quad(position: Any) -> list[float]:
    """x, y of the four corners, px."""
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    return [float(value) for corner in corners for value in (corner.x, corner.y)]
