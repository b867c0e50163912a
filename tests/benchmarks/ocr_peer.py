"""Reading beside PaddleOCR's own pipeline: ``python -m tests.benchmarks.ocr_peer [--pictures N]``.

Both on ONNX Runtime with the same PP-OCRv6 small weights and the same limit of 960 px, on all cores. PaddleOCR's pipeline
runs in one process with as many threads as there are cores, at each of several batches, the best counts; ours in a
process for each core. Lines are compared in sorted order: PaddleOCR reads across columns. Pictures are renderings of ``template.yaml`` and ``pure.yaml`` (pages among them), and photographs.
Seconds are those of the clock, so nothing else may run; models are loaded and warm. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from configs.pictures import Limits, decode
from pipeline.ocr.lines import character_accuracy
from pipeline.ocr.reader import Reader, _paddleocr
from pipeline.ocr.weights import DETECTION, RECOGNITION, model_folders
from synth import Recipe
from tests.benchmarks.annotate import load

_BATCHES = (1, 6, 16)
_EDGE = 960


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=24, help="of each kind")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    figures: dict[str, Any] = {}
    for kind, pictures in kinds(arguments.pictures).items():
        readers: dict[str, Callable[[Sequence[np.ndarray]], list[str]]] = {
            f"batch {batch}": peer(cores, batch) for batch in _BATCHES
        }
        with multiprocessing.get_context("spawn").Pool(cores, _start) as pool:
            readers["ours"] = lambda pictures, pool=pool: pool.map(_read, pictures, chunksize=1)  # type: ignore[misc]
            best = {name: float("inf") for name in readers}
            texts = {name: read(pictures) for name, read in readers.items()}  # and warm
            for _ in range(arguments.rounds):
                for name, read in readers.items():
                    start = time.perf_counter()
                    read(pictures)
                    best[name] = min(best[name], (time.perf_counter() - start) / len(pictures))
        theirs = min((name for name in best if name != "ours"), key=best.__getitem__)
        pairs = zip(texts["ours"], texts[theirs], strict=True)
        written = [(a, b) for a, b in pairs if a or b]
        figures[kind] = {
            "pictures": len(pictures),
            "ms": {name: round(1e3 * seconds, 1) for name, seconds in best.items()},
            "times as fast": round(best[theirs] / best["ours"], 2),
            "NED": round(1 - float(np.mean([character_accuracy(a, b) for a, b in written] or [1.0])), 4),
        }
        print(kind, figures[kind], flush=True)
    print(json.dumps({"cores": cores, "ocr": figures}))


def kinds(count: int) -> dict[str, list[np.ndarray]]:
    """Name -> pictures, uint8 (H, W, 3), no side longer than 960 px."""
    found = {}
    for name in ("template", "pure"):
        recipe = Recipe.load(f"configs/synth/{name}.yaml")
        found[name] = [np.asarray(recipe.render(index).image) for index in range(count)]
    found["photographs"] = [decode(data, Limits()) for data in load(0)][:count]
    return {name: [p for p in pictures if max(p.shape[:2]) <= _EDGE] for name, pictures in found.items()}


def peer(threads: int, batch: int) -> Callable[[Sequence[np.ndarray]], list[str]]:
    """PaddleOCR's pipeline without its orientation and unwarping models, which ours lacks as well."""
    folders = model_folders()
    pipeline = _paddleocr(None).PaddleOCR(
        engine="onnxruntime",
        device="cpu",
        engine_config={"intra_op_num_threads": threads, "inter_op_num_threads": 1},
        text_detection_model_name=DETECTION,
        text_detection_model_dir=str(folders[DETECTION]),
        text_recognition_model_name=RECOGNITION,
        text_recognition_model_dir=str(folders[RECOGNITION]),
        text_det_limit_side_len=_EDGE,
        text_det_limit_type="max",
        text_recognition_batch_size=batch,
        use_doc_orientation_classify=False,
        use_doc_unwarping=False,
        use_textline_orientation=False,
    )

    def read(pictures: Sequence[np.ndarray]) -> list[str]:
        found = [pipeline.predict(np.ascontiguousarray(picture[..., ::-1]))[0]["rec_texts"] for picture in pictures]
        return ["\n".join(sorted(lines)) for lines in found]

    return read


_reader: Reader


def _start() -> None:
    global _reader
    _reader = Reader()
    _reader.load()


def _read(picture: np.ndarray) -> str:
    return "\n".join(sorted(line.text for line in _reader.read(picture)))


if __name__ == "__main__":
    main()
