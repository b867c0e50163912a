"""Numbers that a picture's pixels give by themselves: the measures of S2 and S5, and the hashes for dedup.

    pixels ──shrink to the reference size──> clarity, luma, exposure, saturation, entropy, texture, thumbnail
           ──as they are──────────────────> blockiness, pixel_sha256, phash

The report names the operators of S2 and prints no formula; these were chosen. Those of the
first line are taken at one reference size, the shorter side ``reference_edge`` px, so that the same
picture in another resolution gets about the same value; smaller pictures are never enlarged, they
are measured as they are.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from configs.files import lacking
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture

if TYPE_CHECKING:
    from configs.pictures import Limits

LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
"""Weights of red, green and blue in the luma of Rec. 709."""

_BLACK, _WHITE = 8, 247
"""Gray levels at which ``exposure`` begins to count; chosen: 3 % from either end."""
_RIM, _GROUND = 32, 0.9
"""Of the shorter side the part that is the rim, and how much of it makes a ground; chosen."""

_TILES = 8
"""Tiles along each side in which ``clarity`` is taken."""

_SHARPEST = 0.9
"""The quantile of the tiles that counts: a portrait before a blurred background is sharp; chosen."""

THUMBNAIL, THUMBNAIL_CHROMA = 32, 8
"""px of each side of ``thumbnail``, and of its colors."""
THUMBNAIL_BYTES = THUMBNAIL**2 + 2 * THUMBNAIL_CHROMA**2

_LEVELS = 16
"""Levels per channel of the histogram behind ``entropy``."""

_GRID = 8
"""Side of a JPEG block in px."""

_LOOKED_AT = 1024
"""px; ``blockiness`` looks at the middle of a picture, at most this wide and high."""


@dataclass(frozen=True)
class MeasureConfig(AnnotatorConfig):
    """``reference_edge``: px of the shorter side at which most measures are taken. Thresholds belong to one value of it."""

    kind: Literal["measure"]
    reference_edge: int = 512

    def __post_init__(self) -> None:
        if self.reference_edge < 64:
            raise ValueError(f"reference_edge: at least 64 px, found {self.reference_edge}")

    def make(self, limits: Limits) -> MeasureAnnotator:
        return MeasureAnnotator(self)


class MeasureAnnotator(Annotator):
    """All measures and hashes, for every row: which rows are judged by them is a matter of the rules."""

    name = "measure"
    version = "2"
    input: ClassVar[Literal["pixels"]] = "pixels"
    columns = tuple(schema.MEASURES.values())

    def __init__(self, config: MeasureConfig | None = None) -> None:
        self.config = config or MeasureConfig("measure")

    def missing(self) -> str | None:
        return lacking("cv2")

    def setup(self) -> None:
        import cv2

        cv2.setNumThreads(1)  # the pools of workers share the cores

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        return [self._measure(picture.pixels) for picture in pictures if picture.pixels is not None]

    def _measure(self, pixels: np.ndarray) -> dict[str, Any]:
        reference = at_reference(pixels, self.config.reference_edge)
        gray = reference @ LUMA
        return {
            "pixel_sha256": pixel_sha256(pixels),
            "phash": phash(pixels),
            "clarity": clarity(gray),
            "luma": luma(gray),
            "exposure": exposure(gray),
            "saturation": saturation(reference),
            "entropy": entropy(reference),
            "texture": texture(gray),
            "blockiness": blockiness(pixels),
            "thumbnail": thumbnail(reference),
        }


def at_reference(pixels: np.ndarray, edge: int) -> np.ndarray:
    """uint8 (H, W, 3) shrunk until its shorter side is ``edge`` px (Lanczos); smaller ones as they are."""
    height, width = pixels.shape[:2]
    scale = edge / min(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))


def clarity(gray: np.ndarray) -> float:
    """Sharpness of the sharp parts; 0 is flat, below about 100 is blurred to the eye.

    ``gray``: float (H, W) luma 0..255. The mean square of the 4-neighbour Laplacian in each of 8 x 8
    tiles, of which the 0.9 quantile is returned, in squared gray levels. (The variance of the
    Laplacian over the whole picture, the usual measure, calls any picture with much sky blurred.)
    """
    if min(gray.shape) < 3:
        return 0.0
    core = gray[1:-1, 1:-1]
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * core
    energy = laplacian * laplacian
    rows, columns = (np.linspace(0, n, min(_TILES, n) + 1).astype(int)[:-1] for n in energy.shape)
    sums = np.add.reduceat(np.add.reduceat(energy, rows, axis=0, dtype=np.float64), columns, axis=1)
    sizes = np.outer(np.diff([*rows, energy.shape[0]]), np.diff([*columns, energy.shape[1]]))
    return float(np.quantile(sums / sizes, _SHARPEST))


def luma(gray: np.ndarray) -> float:
    """Mean Rec. 709 luma (of gamma-encoded values), 0 black .. 1 white. ``gray``: float (H, W) 0..255."""
    return float(gray.mean(dtype=np.float64) / 255)


def exposure(gray: np.ndarray) -> float:
    """Share of the pixels without drawing, crushed to black or burnt out: 0 none .. 1 all. ``gray``: float (H, W) 0..255.

    Rec. 709 luma below 8 or above 247, where JPEG and sensors leave nothing to be seen. Both ends in one number, for a
    picture may have both. An end that nearly all of the picture's border has (nine tenths of a rim of a thirty-second of
    the shorter side) is the ground on which something is shown, and does not count: a product on white, a retina on
    black. All chosen.
    """
    return float(sum(mask.mean(dtype=np.float64) for mask in (gray < _BLACK, gray > _WHITE) if not _is_ground(mask)))


def _is_ground(mask: np.ndarray) -> bool:
    rim = max(1, min(mask.shape) // _RIM)
    sides = (mask[:rim], mask[-rim:], mask[rim:-rim, :rim], mask[rim:-rim, -rim:])
    return sum(int(side.sum()) for side in sides) > _GROUND * sum(side.size for side in sides)


def saturation(pixels: np.ndarray) -> float:
    """Mean chroma (largest minus smallest channel) over 255: 0 gray .. 1 pure colors. ``pixels``: uint8 (H, W, 3).

    Not the S of HSV, by which a near-black pixel may be as saturated as a poster.
    """
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    largest = np.maximum(np.maximum(red, green), blue)
    smallest = np.minimum(np.minimum(red, green), blue)
    return float((largest - smallest).mean(dtype=np.float64) / 255)


def entropy(pixels: np.ndarray) -> float:
    """Shannon entropy of the joint RGB histogram with 16 levels a channel, in bits: 0 one color .. 12 all alike.

    ``pixels``: uint8 (H, W, 3). A drawing in two flat colors has at most 1.
    """
    level = (pixels // (256 // _LEVELS)).astype(np.int32)
    index = (level[..., 0] * _LEVELS + level[..., 1]) * _LEVELS + level[..., 2]
    counts = np.bincount(index.ravel())
    fraction = counts[counts > 0] / index.size
    return float(max(0.0, -(fraction * np.log2(fraction)).sum()))


def texture(gray: np.ndarray) -> float:
    """Noise and over-complex texture as the standard deviation of an equal white noise, in gray levels.

    ``gray``: float (H, W) luma 0..255. Immerkaer's estimate (1996): the mean absolute response to a
    mask that is blind to constant, linear and quadratic shading. Photographs have about 1 to 6.
    """
    if min(gray.shape) < 3:
        return 0.0
    rows = gray[:-2] - 2 * gray[1:-1] + gray[2:]
    response = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.abs(response).mean(dtype=np.float64) * math.sqrt(math.pi / 2) / 6)


def blockiness(pixels: np.ndarray) -> float:
    """How far the 8 x 8 grid of JPEG stands out, in gray levels; 0 without a grid, 1 and more to be seen.

    ``pixels``: uint8 (H, W, 3) at their own size, as shrinking destroys the grid; at most the middle
    1,024 x 1,024 px. The step between neighbours less the mean of the steps on both sides of it,
    averaged along the border; of the eight places that a grid can have (turning and cropping move
    it) the first less the second: enlarging makes patterns that stand out at several. Averaged over
    both directions.
    """
    height, width = (min(n, _LOOKED_AT) for n in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    gray = pixels[top : top + height, left : left + width] @ LUMA
    return (_grid(gray) + _grid(gray.T)) / 2


def _grid(gray: np.ndarray) -> float:
    if gray.shape[1] < 4 * _GRID:
        return 0.0
    step = np.abs(np.diff(gray, axis=1)).mean(axis=0)
    excess = step[1:-1] - (step[:-2] + step[2:]) / 2
    places = sorted(float(np.median(excess[place::_GRID])) for place in range(_GRID))
    return max(0.0, places[-1] - places[-2])


def thumbnail(pixels: np.ndarray) -> bytes:
    """The whole picture, whatever its shape, as 32 x 32 means of Y, then 8 x 8 of Cb and of Cr (JFIF), row by row.

    ``pixels``: uint8 (H, W, 3). A pixel that a cell's edge cuts counts for its share on either side: were it given to one of
    them, a picture 400 px wide and a copy of half its size would differ as much as two signs do.
    """
    means = _means(np.asarray(Image.fromarray(pixels).convert("YCbCr")), THUMBNAIL)
    cells = (THUMBNAIL_CHROMA, THUMBNAIL // THUMBNAIL_CHROMA) * 2
    chroma = np.rint(means[..., 1:].reshape(*cells, 2).mean(axis=(1, 3))).astype(np.uint8)
    return means[..., 0].tobytes() + np.moveaxis(chroma, 2, 0).tobytes()


def _means(planes: np.ndarray, side: int) -> np.ndarray:
    """uint8 (side, side, 3): means over the cells of a regular grid. ``planes``: uint8 (H, W, 3)."""
    import cv2

    for axis, length in enumerate(planes.shape[:2]):
        if length < side:  # a pixel lies in several cells; OpenCV would interpolate
            planes = planes.repeat(side, axis)
    return np.asarray(cv2.resize(planes, (side, side), interpolation=cv2.INTER_AREA))


def pixel_sha256(pixels: np.ndarray) -> str:
    """Hex sha256 of width, height and the RGB bytes: equal for the same picture in another container."""
    digest = hashlib.sha256(f"{pixels.shape[1]}x{pixels.shape[0]}:".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def phash(pixels: np.ndarray) -> int:
    """64-bit perceptual hash, the bits of ``imagehash.phash`` (8 x 8 lowest DCT terms over their median), first bit highest."""
    import imagehash

    return int(str(imagehash.phash(Image.fromarray(pixels))), 16)
