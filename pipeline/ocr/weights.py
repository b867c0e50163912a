"""Folders with the PP-OCRv6 weights in the form that PaddleOCR loads, made from the rapidocr wheel.

    rapidocr/models/PP-OCRv6_det_small.onnx ──┐            CACHE/ppocrv6-<key>/<model>/inference.onnx
                    PP-OCRv6_rec_small.onnx ──┴─ copied ─>                             inference.yml

The wheel brings weights without the descriptions that PaddleOCR wants beside them; the descriptions
follow the released checkpoints' own inference.yml. rapidocr itself is never imported.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from configs.errors import RunFailed
from configs.files import created_once, find_package, lacking

DETECTION = "PP-OCRv6_small_det"
RECOGNITION = "PP-OCRv6_small_rec"
_WEIGHTS = {DETECTION: "PP-OCRv6_det_small.onnx", RECOGNITION: "PP-OCRv6_rec_small.onnx"}

_FORM = 1
"""Raise it with any change of what is written here: folders of another form are left alone."""


def missing() -> str | None:
    """Why PP-OCRv6 cannot be loaded from here, or None."""
    if reason := lacking("paddleocr", "onnxruntime") or lacking("rapidocr", weights=True):
        return reason
    folder = _wheel_models() or Path()
    absent = [file for file in _WEIGHTS.values() if not (folder / file).is_file()]
    return f"the installed rapidocr has no {absent[0]}" if absent else None


def model_folders(cache: Path | None = None) -> dict[str, Path]:
    """Model name -> folder; built at the first call, once for all processes that share ``cache``.

    Raises RunFailed when the weights are missing.
    """
    reason = missing()
    if reason:
        raise RunFailed(f"text cannot be read: {reason}; see README, installation")
    root = cache_folder(cache)
    final = root / f"ppocrv6-{importlib.metadata.version('rapidocr')}-{_FORM}"
    if not final.exists():
        _build(final)
    return {name: final / name for name in _WEIGHTS}


def _build(final: Path) -> None:
    """Whoever comes second finds a finished folder, or throws its own away."""
    models = _wheel_models()
    assert models is not None
    with created_once(final, durable=False) as work:
        for name, file in _WEIGHTS.items():
            (work / name).mkdir(parents=True)
            # A copy, not a link: the cache outlives the environment that the wheel lies in.
            shutil.copyfile(models / file, work / name / "inference.onnx")
            description = _detection() if name == DETECTION else _recognition(models / file)
            (work / name / "inference.yml").write_text(_yaml(description), encoding="utf-8")


def _detection() -> dict[str, Any]:
    transforms: list[dict[str, Any]] = [
        {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
        {"DetResizeForTest": {"resize_long": 960}},
        {
            "NormalizeImage": {
                "mean": [0.485, 0.456, 0.406],
                "std": [0.229, 0.224, 0.225],
                "scale": "1./255.",
                "order": "hwc",
            }
        },
        {"ToCHWImage": None},
    ]
    post = {"name": "DBPostProcess", "thresh": 0.3, "box_thresh": 0.6, "max_candidates": 1000, "unclip_ratio": 1.5}
    return {"Global": {"model_name": DETECTION}, "PreProcess": {"transform_ops": transforms}, "PostProcess": post}


def _recognition(weights: Path) -> dict[str, Any]:
    transforms: list[dict[str, Any]] = [
        {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
        {"RecResizeImg": {"image_shape": [3, 48, 320]}},
    ]
    post = {"name": "CTCLabelDecode", "character_dict": _characters(weights)}
    return {"Global": {"model_name": RECOGNITION}, "PreProcess": {"transform_ops": transforms}, "PostProcess": post}


def _characters(weights: Path) -> list[str]:
    """The 18,708 characters of the recognizer, in the order of its outputs, from the metadata of its ONNX file."""
    import onnxruntime

    metadata = onnxruntime.InferenceSession(str(weights), providers=["CPUExecutionProvider"]).get_modelmeta()
    return metadata.custom_metadata_map["character"].split("\n")


def _yaml(description: dict[str, Any]) -> str:
    return yaml.safe_dump(description, allow_unicode=True)


def _wheel_models() -> Path | None:
    folder = find_package("rapidocr")  # not imported: rapidocr's own needs are not installed
    return folder / "models" if folder else None


def cache_folder(cache: Path | None) -> Path:
    """``cache`` if given; else the user's cache folder, or the temporary one where there is no home to write to."""
    if cache is not None:
        return cache
    home = Path.home() / ".cache" / "glyphmill"
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            return home
    except OSError:
        return Path(tempfile.gettempdir()) / f"glyphmill-{os.getuid()}"
