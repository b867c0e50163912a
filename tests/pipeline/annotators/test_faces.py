"""Faces of scikit-image's photographs, plain, hidden in part and absent."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data

from configs import RunFailed
from pipeline.annotators.base import Picture
from pipeline.annotators.faces import FacesAnnotator, FacesConfig

ASTRONAUT = skimage.data.astronaut()
FACE = (slice(66, 163), slice(177, 274))
"""Rows and columns of her face."""

CASES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mosaic of 8 px": lambda face: mosaic(face, 8),
    "mosaic of 14 px": lambda face: mosaic(face, 14),
    "blur of 4 px": lambda face: cv2.GaussianBlur(face, (0, 0), 4),
    "blur of 8 px": lambda face: cv2.GaussianBlur(face, (0, 0), 8),
}


def mosaic(face: np.ndarray, block: int) -> np.ndarray:
    height, width = face.shape[:2]
    blocks = cv2.resize(face, (round(width / block), round(height / block)), interpolation=cv2.INTER_AREA)
    return cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)


@pytest.fixture(scope="module")
def annotator() -> FacesAnnotator:
    made: FacesAnnotator = pickle.loads(pickle.dumps(FacesAnnotator()))
    assert made.missing() is None
    made.setup()
    return made


def score(annotator: FacesAnnotator, pixels: np.ndarray) -> dict[str, Any]:
    (row,) = annotator.annotate([Picture({}, pixels=pixels)])
    return row


def jpeg(pixels: np.ndarray) -> np.ndarray:
    """After a JPEG of quality 85, as hidden faces come from the web."""
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def test_the_astronaut_has_one_face(annotator: FacesAnnotator) -> None:
    row = score(annotator, ASTRONAUT)
    assert row["faces"] == 1
    assert row["face_area"] == pytest.approx(97 * 97 / 512**2, rel=0.25)
    assert row["face_hidden"] < 0.5


@pytest.mark.parametrize("factor", [0.5, 2])
def test_sizes_do_not_matter(annotator: FacesAnnotator, factor: float) -> None:
    row = score(annotator, cv2.resize(ASTRONAUT, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    assert row["faces"] == 1
    assert row["face_hidden"] < 0.5


@pytest.mark.parametrize("written", [lambda pixels: pixels, jpeg])
@pytest.mark.parametrize("name", CASES)
def test_a_hidden_face_is_seen_to_be_hidden(
    annotator: FacesAnnotator, name: str, written: Callable[[np.ndarray], np.ndarray]
) -> None:
    picture = ASTRONAUT.copy()
    picture[FACE] = CASES[name](picture[FACE])
    row = score(annotator, written(picture))
    assert row["faces"] == 1
    assert row["face_hidden"] > 0.7


def test_a_picture_that_is_blurred_all_over_hides_nothing(annotator: FacesAnnotator) -> None:
    row = score(annotator, cv2.GaussianBlur(ASTRONAUT, (0, 0), 2))
    assert row["faces"] == 1
    assert row["face_hidden"] < 0.5


def test_a_smooth_face_before_noise_is_not_hidden(annotator: FacesAnnotator) -> None:
    """Noise has more fine detail than anything else, and none of it is taken from the face."""
    rng = np.random.default_rng(0)
    noisy = np.clip(128 + rng.normal(0, 6, ASTRONAUT.shape), 0, 255).astype(np.uint8)
    noisy[FACE] = ASTRONAUT[FACE]
    row = score(annotator, noisy)
    assert row["faces"] == 1
    assert row["face_hidden"] < 0.7


def test_nearly_all_of_a_hundred_faces_are_found(annotator: FacesAnnotator) -> None:
    """lfw_subset: 100 faces of 25 px, then 100 patches without one; here every fifth of each."""
    patches = (skimage.data.lfw_subset() * 255).astype(np.uint8)
    framed = [cv2.resize(p, (100, 100), interpolation=cv2.INTER_CUBIC) for p in patches[::5]]
    framed = [cv2.copyMakeBorder(p, 60, 60, 60, 60, cv2.BORDER_REPLICATE) for p in framed]
    found = [score(annotator, cv2.cvtColor(p, cv2.COLOR_GRAY2RGB))["faces"] for p in framed]
    assert sum(n > 0 for n in found[:20]) >= 18
    assert sum(n > 0 for n in found[20:]) <= 1


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket", "moon", "coins", "brick"])
def test_other_photographs_have_none(annotator: FacesAnnotator, name: str) -> None:
    pixels = getattr(skimage.data, name)()
    pixels = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    assert score(annotator, pixels) == {"faces": 0, "face_area": 0.0, "face_hidden": None}


def test_another_cascade_goes_by_path(tmp_path: Path) -> None:
    own = tmp_path / "own.xml"
    made = FacesAnnotator(FacesConfig("faces", cascade=str(own)))
    assert str(own) in (made.missing() or "")
    own.write_text("<nothing/>")
    with pytest.raises(RunFailed, match="no cascade"):
        made.setup()
    own.write_bytes(Path(cv2.data.haarcascades, "haarcascade_frontalface_default.xml").read_bytes())
    made.setup()
    assert score(made, ASTRONAUT)["faces"] == 1


@pytest.mark.parametrize("fields", [{"edge": 10}, {"smallest": 4}, {"edge": 100, "smallest": 200}])
def test_wrong_settings_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="px"):
        FacesConfig("faces", **fields)  # type: ignore[arg-type]
