"""The OCR annotator fills the text columns as the schema describes them."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pyarrow as pa
import pytest
import skimage.data
from PIL import Image

from configs.pictures import DecodeError, Limits
from pipeline import schema
from pipeline.annotators.base import Picture
from pipeline.annotators.ocr import OcrAnnotator, OcrConfig, text_columns
from pipeline.ocr.reader import Line, Reader
from tests.pipeline.drawing import page


@pytest.fixture(scope="module")
def annotator(reader: Reader) -> OcrAnnotator:
    made: OcrAnnotator = pickle.loads(pickle.dumps(OcrAnnotator(limits=Limits(max_pixels=2_000_000))))
    assert made.missing() is None
    made._reader = reader  # loaded already, and in a cache folder of the tests
    made.setup()
    return made


def encoded(pixels: np.ndarray, **options: object) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **options)
    return Picture({"image": {"bytes": buffer.getvalue(), "path": None}})


def test_a_page_of_prose(annotator: OcrAnnotator) -> None:
    pixels = np.stack([skimage.data.page()] * 3, axis=-1)
    (row,) = annotator.annotate([encoded(pixels)])
    lines = row["text"].split("\n")
    assert lines[0] == "Region-based segmentation"
    assert lines[1] == "Let us first determine markers of the coins and the"
    assert (row["text_language"], row["text_level"]) == ("en", 4)
    assert len(row["text_regions"]) == len(lines)
    assert row["text_chars"] == sum(not c.isspace() for c in row["text"])
    assert 0.4 < row["text_area"] < 0.9
    assert 12 < row["text_min_height"] < 30
    assert 0.9 < row["ocr_score"] <= 1
    table = pa.Table.from_pylist([row], schema=schema.arrow(annotator.columns))
    region = table.to_pylist()[0]["text_regions"][0]
    assert (region["level"], region["direction"]) == ("line", "ltr")
    x1, y1, x2, y2, x3, y3, x4, y4 = region["quad"]
    assert x1 < x2
    assert x4 < x3
    assert y1 < y4
    assert y2 < y3


def test_chinese_lines_and_the_orientation_of_exif(annotator: OcrAnnotator) -> None:
    upright = page([(30, 40, 36, "今天的天气很好"), (30, 120, 36, "我们去公园散步")], 400, 220)
    exif = Image.Exif()
    exif[0x0112] = 6
    (row,) = annotator.annotate([encoded(np.ascontiguousarray(np.rot90(upright)), exif=exif)])
    assert row["text"] == "今天的天气很好\n我们去公园散步"
    assert (row["text_language"], row["text_level"]) == ("zh", 3)
    assert row["text_regions"][0]["quad"][0] < 60  # in the frame after orientation


def test_photographs_without_text_have_none(annotator: OcrAnnotator) -> None:
    for pixels in (skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()):
        (row,) = annotator.annotate([encoded(pixels)])
        expected = {"text": "", "text_language": "none", "text_level": 0, "text_regions": [], "text_chars": 0}
        assert row == expected | {"text_area": 0.0, "text_min_height": None, "ocr_score": None}


def test_limits_hold_here_too(annotator: OcrAnnotator) -> None:
    with pytest.raises(DecodeError):
        annotator.annotate([encoded(np.zeros((1500, 1500, 3), dtype=np.uint8))])


def test_renderings_keep_their_exact_text() -> None:
    assert OcrAnnotator().applies_to({"recipe": None})
    assert not OcrAnnotator().applies_to({"recipe": "pure"})


def test_columns_of_lines_placed_by_hand() -> None:
    quad = np.array([[10, 10], [110, 10], [110, 30], [10, 30]], dtype=np.float32)
    turned = np.roll(quad + np.float32([0, 50]), 1, axis=0)[:, ::-1].copy()
    lines = [Line("ab cd", quad, 0.9), Line("龙", turned, 0.6, "ttb")]
    row = text_columns(lines, width=200, height=100)
    assert row["text_chars"] == 5
    assert row["text_area"] == pytest.approx(2 * 2000 / 20000)
    assert row["text_min_height"] == pytest.approx(20)
    assert row["ocr_score"] == pytest.approx((4 * 0.9 + 0.6) / 5)
    assert [r["level"] for r in row["text_regions"]] == ["line", "glyph"]


@pytest.mark.parametrize("fields", [{"min_score": 1.5}, {"detection_edge": 10}, {"threads": 0}])
def test_settings_that_make_no_sense_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        OcrConfig("ocr", **fields)
