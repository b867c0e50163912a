"""WebP: what is wrong with its container or its metadata costs no picture whose pixels are there."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from configs.pictures import DecodeError, Limits, decode, probe
from tests.pipeline.hostile import animation, encode, picture

LIMITS = Limits()
EXIF = Image.Exif()
EXIF[0x0112] = 6
KINDS = {
    "lossy": encode(picture(40, 30, seed=1), "WEBP", exif=EXIF),
    "lossless": encode(picture(40, 30, seed=1), "WEBP", exif=EXIF, lossless=True),
    "alpha": encode(picture(40, 30, seed=1).convert("RGBA"), "WEBP", exif=EXIF),
}


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_cost_nothing(kind: str) -> None:
    data = KINDS[kind]
    whole, place = decode(data, LIMITS), data.index(b"EXIF")
    size = len(data)
    odd = {
        "cut inside of EXIF": data[: place + 12],
        "without the EXIF that it says": data[:place],
        "EXIF of 2 GB": data[: place + 4] + b"\xff\xff\xff\x7f" + data[place + 8 :],
        "longer than it is": data[:4] + struct.pack("<I", size + 1000) + data[8:],
        "shorter than it is": data[:4] + struct.pack("<I", 4) + data[8:],
        "XMP of nothing": data + b"XMP \xff\xff\xff\xff",
        "an unknown chunk": data + b"zzzz\3\0\0\0abc\0",
        "zeros behind it": data + b"\0" * 99,
    }
    for name, changed in odd.items():
        found = decode(changed, LIMITS)
        upright = np.rot90(found, -1) if probe(changed, LIMITS).orientation == 1 else found
        assert np.array_equal(upright, whole), name


def test_orientation_and_size_are_those_of_the_file() -> None:
    header = probe(KINDS["lossy"], LIMITS)
    assert (header.width, header.height, header.orientation, header.format) == (30, 40, 6, "WEBP")


@pytest.mark.parametrize("kind", [*KINDS, "animated"])
def test_pixels_that_are_cut_are_missed(kind: str) -> None:
    data = KINDS.get(kind) or animation(40, 30, "WEBP")
    end = data.find(b"EXIF") if kind != "animated" else len(data)
    for share in (0.2, 0.5, 0.95):
        with pytest.raises(DecodeError):
            decode(data[: int(end * share)], LIMITS)
