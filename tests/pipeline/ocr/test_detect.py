"""Lines are found in pictures that are far larger than what the network looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.ocr import reader as reading
from pipeline.ocr.detect import Detector
from pipeline.ocr.lines import character_accuracy, height_of, normalize
from pipeline.ocr.reader import Reader
from synth import Recipe
from tests.pipeline.drawing import page

SENTENCES = ("春天的花园里开满了花今天的天气很好我们去公园散步", "Annual report of the garden society, page ")


class SmallReader(Reader):
    """Takes pictures of more than 320 px for large ones, with the models that are loaded already."""

    def __init__(self, loaded: Reader) -> None:
        super().__init__(320)
        self.__dict__["_recognizer"] = loaded._recognizer
        self.__dict__["_detector"] = Detector(loaded._detector._model, 320)


@pytest.fixture(scope="module")
def small(reader: Reader) -> SmallReader:
    return SmallReader(reader)


def rows(size: int, width: int, height: int) -> list[tuple[int, int, int, str]]:
    """Numbered lines from top to bottom."""
    step = round(1.5 * size)
    return [
        (10, y, size, f"{i} {SENTENCES[i % 2]}"[: (width // size - 2) * (1 + i % 2)])
        for i, y in enumerate(range(8, height - 2 * size, step))
    ]


def text_of(drawn: list[tuple[int, int, int, str]]) -> str:
    return "\n".join(row[3] for row in drawn)


def test_a_long_page_is_read_whole_and_each_line_once(small: SmallReader) -> None:
    drawn = rows(14, 300, 1100)
    lines = small.read(page(drawn, 300, 1100))
    assert len(lines) == len(drawn)
    assert character_accuracy(text_of(drawn), "\n".join(line.text for line in lines)) > 0.98
    assert 12 < min(map(height_of, lines)) < 21


def test_lines_across_seams_of_a_wide_page_are_whole(small: SmallReader) -> None:
    drawn = rows(14, 900, 340)
    lines = small.read(page(drawn, 900, 340))
    assert len(lines) == len(drawn)
    assert character_accuracy(text_of(drawn), "\n".join(line.text for line in lines)) > 0.98


def test_large_and_small_writing_are_both_found_once(small: SmallReader) -> None:
    drawn = [(20, 10, 230, "EXIT"), *[(20, 330 + 24 * i, 14, f"{i} {SENTENCES[1]}") for i in range(12)]]
    lines = small.read(page(drawn, 700, 640))
    assert [line.text for line in lines] == [row[3].strip() for row in drawn]


def test_what_is_not_shrunk_is_found_as_paddleocr_finds_it(reader: Reader) -> None:
    picture = np.ascontiguousarray(page(rows(22, 600, 400), 600, 400)[..., ::-1])
    (theirs,) = reader._detector._model.predict(picture, limit_side_len=960, limit_type="max")
    assert np.array_equal(np.stack(reader._detector(picture)), theirs["dt_polys"])


def test_a_hostile_picture_is_read_in_bounded_size(small: SmallReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_PIXELS", 320 * 320)
    seen: list[tuple[int, ...]] = []
    detect = small._detector
    monkeypatch.setitem(small.__dict__, "_detector", lambda bgr: seen.append(bgr.shape) or detect(bgr))
    picture = np.zeros((200, 40_000, 3), np.uint8)
    assert small.read(picture) == []
    ((height, width, _),) = seen
    assert height * width <= 320 * 320
    assert width <= 32_000


PAGE = """
name: long_page
fonts:
- {package: manimgx_fonts_cjk, file: NotoSansCJK-VF.otf.ttc, face: 2}
canvases:
- {size: [800, 4096]}
layout: {size: [20, 20], margin: 0.03, jitter: 0}
captions: {styles: {grammar: 1}}
contents:
- {kind: paragraph, languages: {zh: 1}, sentences: [60, 80], length: [800, 3000]}
"""


@pytest.mark.long
def test_a_page_of_ours_of_4096_px_is_read(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "page.yaml").write_text(PAGE, encoding="utf-8")
    sample = Recipe.load(tmp_path / "page.yaml").render(3)
    drawn = normalize(sample.text)
    read = normalize("".join(line.text for line in reader.read(np.asarray(sample.image))))
    assert len(drawn) > 800
    assert character_accuracy(drawn, read) > 0.97
