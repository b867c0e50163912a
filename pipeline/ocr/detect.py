"""Where lines of text are: PP-OCRv6's detector, which finds glyphs of 8 to about 400 px, over pictures of any size.

    longer side <= edge ──────────────────────────────────────────────────> PaddleOCR's own way ──> quads
    larger ──shrunk to edge x edge px of area──> map ──> lines of an overview
           ──tiles where the overview shows small writing, unshrunk──> one map ──> lines in their place

The maps of tiles are joined before boxes are made of them, so a line across a seam is one line. What the overview
finds large stays as found there: in a tile it would be cut.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from pipeline.ocr.tiles import Tile, grid, put_core, touched

_OVERLAP = 128
"""px that neighboring tiles share, less where tiles are small: a seam lies 64 px from the nearest edge of a tile; chosen."""

_STRIDE = 32
"""Sides of what the network sees are multiples of this."""

_SMALL = 15
"""px of the overview: where boxes are lower, lines are looked for unshrunk. Chosen: of tight pages of glyphs of 8 to 11 px
(boxes of 10 to 14) the detector misses up to a sixth of the lines, of 13 px and more none."""

_LARGE = 40
"""px of the overview: lines as high as this are taken from there; chosen: a tile shows them at 4 times the size at most."""

_GUESS = 0.5
"""Mean of the map in a box from which on the place is looked at unshrunk; a line needs 0.6 (inference.yml). Chosen:
    at 0.3 texture of cloth and grain of photographs has every tile looked at, at 0.5 hardly one."""

_MARGIN = 16
"""px of the overview around small writing that are looked at unshrunk as well; chosen."""

_COVERED = 0.5
"""Share of a box inside of lines that are there already, from which on it is one of them; chosen."""

_MOST = 1000
"""Boxes of one picture, at most, PaddleOCR's own number: what has more is too dense to be trained on, whatever it says."""

_LONGEST = 32_000
"""px; quads are counted in 16 bits."""


class Detector:
    """Finds lines. ``edge``: px of tiles; larger pictures are shrunk to edge x edge px of area for the overview."""

    def __init__(self, model: Any, edge: int) -> None:
        self._model, self._edge = model, edge
        predictor = model.paddlex_predictor
        self._prepare = [predictor.pre_tfs[name] for name in ("Normalize", "ToCHW", "ToBatch")]
        self._run = predictor.runner
        self._boxes = copy.copy(predictor.post_op)
        self._boxes.max_candidates = _MOST

    def __call__(self, bgr: np.ndarray) -> list[np.ndarray]:
        """Quads, float32 (4, 2) px each, clockwise from the top left corner. ``bgr``: uint8 (H, W, 3), at most 32,000 px a side."""
        if max(bgr.shape[:2]) <= self._edge:
            (found,) = self._model.predict(bgr, limit_side_len=self._edge, limit_type="max")
            return [np.asarray(quad, np.float32) for quad in found["dt_polys"]]
        overview = self._map(_shrunk(bgr, self._edge))
        scale = overview.shape[0] / bgr.shape[0], overview.shape[1] / bgr.shape[1]
        lines = self._quads(overview)
        tiles = self._closer(overview, scale, bgr.shape) if min(scale) < 1 else []
        if not tiles:
            return [_scaled(quad, scale) for quad in lines]
        kept = [quad for quad in lines if _side(quad) >= _LARGE or not _inside(quad, tiles, scale)]
        near = self._quads(self._stitched(bgr, tiles))
        large = _drawn(kept, overview.shape)
        fine = [quad for quad in near if _share(quad, large, scale) < _COVERED]
        return [_scaled(quad, scale) for quad in kept] + fine

    def _closer(self, overview: np.ndarray, scale: tuple[float, float], shape: tuple[int, ...]) -> list[Tile]:
        """Tiles of the picture where the overview shows small writing."""
        small = [quad for quad in self._quads(overview, _GUESS) if _side(quad) < _SMALL]
        if not small:
            return []
        mask = _drawn(small, overview.shape, _MARGIN) > 0
        return touched(grid(shape[0], shape[1], self._edge, min(_OVERLAP, self._edge // 4)), mask, scale)

    def _stitched(self, bgr: np.ndarray, tiles: list[Tile]) -> np.ndarray:
        whole = np.zeros(bgr.shape[:2], np.float32)
        for tile in tiles:
            top, left, bottom, right = tile.seen
            put_core(whole, tile, self._map(_padded(bgr[top:bottom, left:right])))
        return whole

    def _map(self, bgr: np.ndarray) -> np.ndarray:
        """Probability of text, float32 (H, W). ``bgr``: sides are multiples of 32."""
        batch: Any = [bgr]
        for step in self._prepare:
            batch = step(imgs=batch)
        result: np.ndarray = self._run(x=batch)[0][0, 0]
        return result

    def _quads(self, probability: np.ndarray, least: float | None = None) -> list[np.ndarray]:
        height, width = probability.shape
        polys, _ = self._boxes([probability[None, None]], [np.array([height, width, 1, 1])], box_thresh=least)
        return [np.asarray(quad, np.float32) for quad in polys[0]]


def within_reach(height: int, width: int, most: int) -> float:
    """The factor, at most 1, by which a picture is shrunk to ``most`` px of area and sides that can be counted."""
    return min(1.0, math.sqrt(most / (height * width)), _LONGEST / max(height, width))


def _shrunk(bgr: np.ndarray, edge: int) -> np.ndarray:
    """As the network wants it: of about edge x edge px of area at most, by the mean of what falls together. (Samples of it,
    PaddleOCR's way, break small letters: of a page at a quarter of its size the detector then finds no line.)"""
    import cv2

    scale = within_reach(bgr.shape[0], bgr.shape[1], edge * edge)
    height, width = (max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in bgr.shape[:2])
    return cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)


def _padded(bgr: np.ndarray) -> np.ndarray:
    """With its last row and column repeated up to the next multiple of 32."""
    height, width = bgr.shape[:2]
    return np.pad(bgr, ((0, -height % _STRIDE), (0, -width % _STRIDE), (0, 0)), mode="edge")


def _side(quad: np.ndarray) -> float:
    """The shorter side, px."""
    return float(min(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[1] - quad[2])))


def _scaled(quad: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """From px of the overview to px of the picture."""
    return (quad / np.array([scale[1], scale[0]])).astype(np.float32)


def _inside(quad: np.ndarray, tiles: list[Tile], scale: tuple[float, float]) -> bool:
    """Whether all of a quad of the overview lies in cores of ``tiles``."""
    placed = _scaled(quad, scale)
    (left, top), (right, bottom) = placed.min(axis=0).tolist(), placed.max(axis=0).tolist()
    area = (right - left) * (bottom - top)
    for core in (tile.core for tile in tiles):
        area -= max(0.0, min(right, core[3]) - max(left, core[1])) * max(0.0, min(bottom, core[2]) - max(top, core[0]))
    return bool(area <= 1)


def _drawn(quads: list[np.ndarray], shape: tuple[int, ...], margin: int = 0) -> np.ndarray:
    """uint8 (H, W), 1 inside of the quads and ``margin`` px around them."""
    import cv2

    mask = np.zeros(shape[:2], np.uint8)
    for quad in quads:
        cv2.fillPoly(mask, [np.round(quad).astype(np.int32)], (1,))
    return cv2.dilate(mask, np.ones((2 * margin + 1,) * 2, np.uint8)) if margin else mask


def _share(quad: np.ndarray, mask: np.ndarray, scale: tuple[float, float]) -> float:
    """Share of a quad of the picture that lies in the overview's ``mask``."""
    import cv2

    small = quad * np.array([scale[1], scale[0]])
    left, top = np.floor(small.min(axis=0)).astype(int)
    right, bottom = np.ceil(small.max(axis=0)).astype(int) + 1
    own = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(own, [np.round(small - [left, top]).astype(np.int32)], (1,))
    under = mask[top:bottom, left:right]
    return float((own[: under.shape[0], : under.shape[1]] & under).sum() / max(1, own.sum()))
