"""Reads text in pictures: PaddleOCR's PP-OCRv6 small on ONNX Runtime.

    rgb ──detect.py──> quads ──cut out and turn, one by one──> recognize ──> Line(text, quad, score)    read
    rgb of one line or glyph ────────────────────────────────> recognize ──> text, score                read_line

No network is asked. A line is recognized alone, never in a batch: the recognizer pads a batch to its
widest line, and a line would then read differently beside others.
"""

from __future__ import annotations

import logging
import os
import sys
import types
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.ocr.crop import cut_out
from pipeline.ocr.detect import Detector, within_reach
from pipeline.ocr.lines import is_column, reading_order
from pipeline.ocr.weights import DETECTION, RECOGNITION, cache_folder, model_folders
from synth.language import visible

_MOST_PIXELS = 16_000_000
"""px of area to which larger pictures are shrunk before they are read: glyphs that vanish then are none that an image of
1328p shows, and memory and time are bounded by it (chosen)."""

_TALL = 1.5
"""Height over width from which on a box holds a turned line or a column (PaddleOCR's own number)."""

_NARROWEST = 48
"""px of width to which shorter lines are padded, at the recognizer's height of 48. PaddleOCR pads to 320: over that, of 300
glyphs 299 read the same in a third of the time, 151 rendered lines no worse (0.977 of their characters against 0.973)."""

_SURE = 0.9
"""Score below which a box is read the other way round as well (chosen)."""

_CLEARLY = 0.1
"""By so much must the other way round be surer, as it is rarer: 0.98 against 0.5 is usual for true ones (chosen)."""


_FILLED = 0.25
"""Squares of a line's height that its characters fill of its length, at least: of a line of twenty on its head the recognizer
reads one, and is sure of it. Chosen: letters fill a half and more, Han twice that. ``_LEGIBLE``: score from which on the
other way round is read instead, where it fills the box."""
_LEGIBLE = 0.6


@dataclass(frozen=True)
class Line:
    """One read line. ``quad``: float32 (4, 2) px, clockwise from the reading start. ``score``: mean confidence of
    its characters, 0..1. ``direction``: ``ltr``, or ``ttb`` for a column of upright characters."""

    text: str
    quad: np.ndarray
    score: float
    direction: str = "ltr"


class Reader:
    """PP-OCRv6 small. Weights load at the first use (about 4 s, 400 MB); instances travel between processes unloaded.

    ``detection_edge``: px; of a picture with a longer side an overview of detection_edge x detection_edge px of area is
    looked at, then those parts at their full size in which it shows small writing (960 is the checkpoint's own size).
    Lines are cut out of the full picture. ``threads`` of one model. ``cache``: where model folders are built, by default
    under the user's cache folder.
    """

    def __init__(self, detection_edge: int = 960, threads: int = 1, cache: Path | None = None) -> None:
        self._edge, self._threads, self._cache = detection_edge, threads, cache

    def __reduce__(self) -> tuple[Any, ...]:
        return Reader, (self._edge, self._threads, self._cache)

    def read(self, rgb: np.ndarray) -> list[Line]:
        """Lines in ``rgb``, uint8 (H, W, 3), in reading order; none when there is no text or nothing legible."""
        bgr, scale = _within(rgb)
        lines = [self._line(bgr, quad) for quad in self._detector(bgr)]
        seen = [Line(x.text, x.quad / np.float32(scale), x.score, x.direction) for x in lines if x.text]
        return reading_order(seen)

    def read_line(self, rgb: np.ndarray) -> tuple[str, float]:
        """Text and score of a picture that is one horizontal line or one glyph as a whole; ("", 0.0) when illegible.

        For lone glyphs this is the way: the detector wants text around text and misses some of them.
        """
        return self._recognize(np.ascontiguousarray(rgb[..., ::-1]))

    def read_at(self, rgb: np.ndarray, quad: np.ndarray) -> str:
        """The text of one line that is known to stand at ``quad``, float (4, 2) px; empty when illegible."""
        return self._line(np.ascontiguousarray(rgb[..., ::-1]), quad.astype(np.float32)).text

    def load(self) -> None:
        """Load the weights now."""
        _ = self._detector, self._recognizer

    def _line(self, bgr: np.ndarray, quad: np.ndarray) -> Line:
        """Read one detected box, turned the likelier way first; ``quad`` starts at its top left corner."""
        crop = cut_out(bgr, quad)
        tall = crop.shape[0] >= _TALL * crop.shape[1]
        best, best_fills = Line("", quad, 0.0), False
        for quarters in (1, 3) if tall else (0, 2):
            text, score = self._recognize(np.rot90(crop, quarters))
            fills = visible(text) * min(crop.shape[:2]) >= _FILLED * max(crop.shape[:2])
            surer = score > best.score + (_CLEARLY if best.text else 0)
            if (surer and fills >= best_fills) or (fills and not best_fills and score >= _LEGIBLE):
                upright = tall and quarters == 1 and is_column(text)
                turned = quad if upright else np.roll(quad, -quarters, axis=0)
                best, best_fills = Line(text, turned, score, "ttb" if upright else "ltr"), fills
            if best.score >= _SURE and best_fills:
                break
        return best

    def _recognize(self, bgr: np.ndarray) -> tuple[str, float]:
        if 0 in bgr.shape:
            return "", 0.0
        (read,) = self._recognizer.predict(np.ascontiguousarray(bgr), batch_size=1)
        text = read["rec_text"].strip()
        return (text, float(read["rec_score"])) if text else ("", 0.0)

    @cached_property
    def _detector(self) -> Detector:
        return Detector(self._model("TextDetection", DETECTION), self._edge)

    @cached_property
    def _recognizer(self) -> Any:
        model = self._model("TextRecognition", RECOGNITION)
        resize = model.paddlex_predictor.pre_tfs["ReisizeNorm"]
        resize.rec_image_shape = [*resize.rec_image_shape[:2], _NARROWEST]
        return model

    def _model(self, kind: str, name: str) -> Any:
        folder = model_folders(self._cache)[name]
        threads = {"intra_op_num_threads": self._threads, "inter_op_num_threads": 1}
        build = getattr(_paddleocr(self._cache), kind)
        return build(model_name=name, model_dir=str(folder), engine="onnxruntime", device="cpu", engine_config=threads)


def _within(rgb: np.ndarray) -> tuple[np.ndarray, float]:
    """BGR as PaddleOCR wants it, shrunk where it is larger than can be read, and the factor."""
    height, width = rgb.shape[:2]
    scale = within_reach(height, width, _MOST_PIXELS)
    if scale < 1:
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        rgb = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))
    return np.ascontiguousarray(rgb[..., ::-1]), scale


def _paddleocr(cache: Path | None) -> Any:
    """Import PaddleOCR without what it never needs here.

    paddlex imports modelscope for its downloader, and that imports torch and diffusers: 3 s and
    700 MB in every worker. An empty module stands in while paddlex is imported.
    """
    if "paddleocr" in sys.modules:
        return sys.modules["paddleocr"]
    absent = "modelscope" not in sys.modules
    if absent:
        sys.modules["modelscope"] = types.ModuleType("modelscope")
    # paddlex makes folders at home when it is imported; no parameter says where, only this variable.
    os.environ.setdefault("PADDLE_PDX_CACHE_HOME", str(cache_folder(cache) / "paddlex"))
    try:
        import paddleocr
    finally:
        if absent:
            del sys.modules["modelscope"]
    logging.getLogger("paddlex").setLevel(logging.ERROR)  # it announces every model in colors
    return paddleocr
