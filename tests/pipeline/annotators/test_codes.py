"""Codes that zxing-cpp itself draws are found in photographs, and none where there are none."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import skimage.data
import zxingcpp

from configs import UserError, decode
from pipeline.annotators import AnyAnnotator
from pipeline.annotators.base import Picture
from pipeline.annotators.codes import CodesAnnotator

PHOTOS = {name: getattr(skimage.data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")}


@pytest.fixture(scope="module")
def annotator() -> CodesAnnotator:
    made: CodesAnnotator = pickle.loads(pickle.dumps(CodesAnnotator()))
    assert made.missing() is None
    made.setup()
    return made


def score(annotator: CodesAnnotator, pixels: np.ndarray) -> dict[str, Any]:
    (row,) = annotator.annotate([Picture({}, pixels=pixels)])
    return row


def with_code(format: str, content: str, turns: int = 0, scale: int = 3) -> np.ndarray:
    """A photograph with a code on it, turned by quarters."""
    code = zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat[format])
    drawn = np.rot90(np.asarray(code.to_image(scale=scale)), turns)
    photo = PHOTOS["astronaut"].copy()
    photo[40 : 40 + drawn.shape[0], 50 : 50 + drawn.shape[1]] = drawn[..., None]
    return photo


@pytest.mark.parametrize("turns", [0, 1, 2])
@pytest.mark.parametrize(
    ("format", "content", "named"),
    [
        ("QRCode", "https://example.org/a", "QRCode"),
        ("EAN13", "4006381333931", "EAN13"),
        ("Code128", "GLYPH-12", "Code128"),
        ("DataMatrix", "lot 7", "DataMatrix"),
    ],
)
def test_a_code_in_a_photograph_is_found(
    annotator: CodesAnnotator, format: str, content: str, named: str, turns: int
) -> None:
    row = score(annotator, with_code(format, content, turns))
    assert (row["codes"], row["code_formats"]) == (1, named)
    assert 0.002 < row["code_area"] < 0.5


def test_two_codes_count_twice(annotator: CodesAnnotator) -> None:
    both = np.concatenate([with_code("QRCode", "a"), with_code("EAN13", "4006381333931")], axis=1)
    row = score(annotator, both)
    assert (row["codes"], row["code_formats"]) == (2, "EAN13+QRCode")


@pytest.mark.parametrize("name", PHOTOS)
def test_photographs_have_none(annotator: CodesAnnotator, name: str) -> None:
    assert score(annotator, PHOTOS[name]) == {"codes": 0, "code_formats": None, "code_area": 0.0}


def test_a_damaged_code_does_not_count(annotator: CodesAnnotator) -> None:
    photo = with_code("QRCode", "https://example.org/a")
    photo[60:120, 60:110] = 255
    assert score(annotator, photo)["codes"] == 0


def test_only_what_is_asked_for_is_looked_for() -> None:
    config = decode({"kind": "codes", "formats": ["EANUPC"]}, AnyAnnotator, "test")
    made = CodesAnnotator(config)
    made.setup()
    assert score(made, with_code("QRCode", "a"))["codes"] == 0
    assert score(made, with_code("EAN13", "4006381333931"))["codes"] == 1


@pytest.mark.parametrize("formats", [[], ["QR"], ["NONE"]])
def test_a_wrong_format_is_one_line(formats: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        decode({"kind": "codes", "formats": formats}, AnyAnnotator, "test")
    assert "formats" in str(caught.value)
    assert "\n" not in str(caught.value)
