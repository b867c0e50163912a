"""HEIC and JPEG XL: read where a wheel brings them, else refused by name."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from PIL import Image

from configs.pictures import DecodeError, Limits, decode, probe
from tests.pipeline.hostile import encode, picture

LIMITS = Limits()
EXIF = Image.Exif()
EXIF[0x0112] = 6
JXL = b"\xff\x0a" + bytes([0b0100_1110, 0b0000_0000])
BARE = {"HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 40, "JPEG XL": JXL + b"\0" * 40}
MODULES = {"HEIC": "pillow_heif", "JPEG XL": "pillow_jxl"}


@pytest.mark.parametrize("name", BARE)
def test_without_its_wheel_it_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(DecodeError, match=f"{name}: read only where the package pillow-"):
        decode(BARE[name], LIMITS)


def test_a_heic_stands_upright() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = encode(picture(64, 48, seed=1), "HEIF", quality=95, exif=EXIF.tobytes())
    header = probe(data, LIMITS)
    assert (header.width, header.height, header.format) == (48, 64, "HEIF")
    expected = np.rot90(np.asarray(picture(64, 48, seed=1), dtype=int), -1)
    assert np.abs(decode(data, LIMITS) - expected).mean() < 8
    with pytest.raises(DecodeError):
        decode(data[: len(data) // 2], LIMITS)


@pytest.mark.parametrize("size", [(64, 48), (37, 91), (256, 256), (8, 8), (320, 240)])
def test_a_jpeg_xl_is_measured_before_it_is_decoded(size: tuple[int, int]) -> None:
    pytest.importorskip("pillow_jxl")
    for options in ({}, {"exif": EXIF.tobytes()}):  # with metadata it becomes a container
        data = encode(picture(*size, seed=1), "JXL", lossless=True, **options)
        assert (probe(data, LIMITS).width, probe(data, LIMITS).height) == size
        assert np.array_equal(decode(data, LIMITS), np.asarray(picture(*size, seed=1)))
    with pytest.raises(DecodeError, match="pixels"):
        decode(data, Limits(max_pixels=63))
    with pytest.raises(DecodeError):
        decode(data[: len(data) // 2], LIMITS)
