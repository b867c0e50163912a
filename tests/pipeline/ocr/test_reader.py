"""Reading: text, places and directions come out right, whatever stands beside a line."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from configs import RunFailed
from pipeline.ocr import weights
from pipeline.ocr.crop import cut_out
from pipeline.ocr.reader import Line, Reader
from tests.pipeline.drawing import column, font, glyph, page

ENGLISH, CHINESE = "Annual report 2024", "春天的花园里开满了花"
TWO_LINES = [(30, 60, 40, ENGLISH), (30, 160, 40, CHINESE)]


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def test_lines_are_read_with_their_places(reader: Reader) -> None:
    first, second = reader.read(page(TWO_LINES))
    assert (first.text, second.text) == (ENGLISH, CHINESE)
    assert min(first.score, second.score) > 0.95
    assert (first.quad.shape, first.quad.dtype) == ((4, 2), np.float32)
    assert np.abs(first.quad - [[28, 70], [396, 70], [396, 120], [28, 120]]).max() < 12
    assert np.abs(second.quad - [[30, 162], [430, 162], [430, 208], [30, 208]]).max() < 12


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turned_pages_read_the_same_from_the_turned_start(reader: Reader, quarters: int) -> None:
    upright = page([(30, 60, 40, ENGLISH), (30, 160, 40, "Summer in the garden")])
    turned = np.ascontiguousarray(np.rot90(upright, quarters))
    read = reader.read(turned)
    assert texts(read) == [ENGLISH, "Summer in the garden"]
    lines = {line.text: line for line in read}
    height, width = upright.shape[:2]
    for line in reader.read(upright):
        x, y = line.quad[:, 0], line.quad[:, 1]
        expected = {1: (y, width - x), 2: (width - x, height - y), 3: (height - y, x)}[quarters]
        assert np.abs(lines[line.text].quad - np.stack(expected, axis=1)).max() < 15
        assert lines[line.text].direction == "ltr"


def test_a_line_on_its_head_that_reads_as_two_characters_is_turned(reader: Reader) -> None:
    """Upside down the recognizer is sure of two of its twenty-three characters; a line of its length says more."""
    text = "真实高兴暖阳包容消息书架花瓶高铁梅花电脑衣服历"
    image = Image.new("RGB", (720, 70), (250, 248, 240))
    ImageDraw.Draw(image).text((20, 15), text, (20, 20, 30), font(28, weight=100))
    (line,) = reader.read(np.ascontiguousarray(np.asarray(image)[::-1, ::-1]))
    assert line.text == text


def test_columns_read_from_the_right(reader: Reader) -> None:
    picture = page([], 400, 320)
    for i, text in enumerate(("床前明月光", "疑是地上霜", "举头望明月")):
        picture = column(text, 300 - 90 * i, 40, 40, picture)
    lines = reader.read(picture)
    assert texts(lines) == ["床前明月光", "疑是地上霜", "举头望明月"]
    assert {line.direction for line in lines} == {"ttb"}
    top_left, top_right, bottom_right, bottom_left = lines[0].quad
    assert top_left[0] < top_right[0] < 360
    assert top_left[1] < bottom_left[1]
    assert bottom_right[1] > 220


def test_a_line_does_not_depend_on_what_stands_beside_it(reader: Reader) -> None:
    rows = [
        (20, 20, 30, "short"),
        (20, 80, 30, "一行很长很长的文字放在同一页上看看会不会变"),
        (20, 140, 16, "a small line, faint"),
    ]
    rng = np.random.default_rng(0)
    noisy = np.clip(page(rows, 720, 200) + rng.normal(0, 40, (200, 720, 3)), 0, 255).astype(np.uint8)
    lines = reader.read(noisy)
    assert len(lines) == 3
    for line in lines:
        assert reader.read_line(cut_out(noisy, line.quad)) == (line.text, line.score)


def test_lone_glyphs_are_read_as_lines(reader: Reader) -> None:
    characters = "ABCDEFGHKLMN23456789的是不人在有我他这中大来国和地到以天日"
    read = {c: reader.read_line(glyph(c))[0] for c in characters}
    wrong = {c: r for c, r in read.items() if c != r}
    assert len(wrong) <= 1, wrong


def test_a_page_without_text_has_no_lines(reader: Reader) -> None:
    assert reader.read(page([])) == []
    assert reader.read_line(page([], 64, 64)) == ("", 0.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (5, 5), (40, 9000), (31, 32)])
def test_odd_shapes_are_read_without_error(reader: Reader, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    for line in reader.read(picture):
        assert np.isfinite(line.quad).all()


def test_quads_of_a_picture_too_large_for_the_detector_are_in_its_own_px(reader: Reader) -> None:
    picture = page([(3000, 300, 200, "Far right")], 5000, 700)
    (line,) = reader.read(picture)
    assert line.text == "Far right"
    assert 2900 < line.quad[:, 0].min() < 3100
    assert 3700 < line.quad[:, 0].max() < 4200


def test_a_fresh_process_loads_it_without_network_and_without_torch(reader: Reader) -> None:
    code = f"""
import pickle, socket, sys
def refuse(*_, **__): raise SystemExit("asked the network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
reader = pickle.loads({pickle.dumps(reader)!r})
from tests.pipeline.drawing import glyph
print(reader.read_line(glyph("国"))[0], reader.read(glyph("国", 200, 90)) is not None, "torch" in sys.modules, "modelscope" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["国", "True", "False", "False"], done.stderr
    assert done.stderr == ""


def test_model_folders_appear_whole_and_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: weights.model_folders(tmp_path), range(2)))
    assert all(r == results[0] for r in results)
    assert [p.name for p in tmp_path.iterdir()] == [results[0][weights.DETECTION].parent.name]
    for folder in results[0].values():
        assert sorted(p.name for p in folder.iterdir()) == ["inference.onnx", "inference.yml"]
    written = (results[0][weights.RECOGNITION] / "inference.yml").stat().st_mtime_ns
    weights.model_folders(tmp_path)
    assert (results[0][weights.RECOGNITION] / "inference.yml").stat().st_mtime_ns == written


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_wheel_models", lambda: tmp_path)
    assert "PP-OCRv6_det_small.onnx" in (weights.missing() or "")
    with pytest.raises(RunFailed, match=r"PP-OCRv6_det_small\.onnx"):
        weights.model_folders(tmp_path / "cache")
