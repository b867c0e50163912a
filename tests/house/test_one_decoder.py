"""One picture gives the same pixels to all who open it: the pipeline, synth's photographs, ``model sample --image``."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from configs.pictures import Limits, decode
from model import sample_command
from synth import photos
from tests.configs.test_pictures import profile_with_swapped_primaries
from tests.pipeline.hostile import encode, palette_with_transparency, picture, sixteen_bit, with_orientation

ROOT = Path(__file__).parents[2]
OPENERS = {
    "configs/decoding/jpeg.py": "the one decoder, of JPEG",
    "configs/decoding/png.py": "the one decoder, of PNG",
    "configs/decoding/tiff_samples.py": "the one decoder, of TIFF: libtiff decompresses",
    "configs/decoding/webp.py": "the one decoder, of WebP",
    "configs/decoding/optional.py": "the one decoder, of HEIC and JPEG XL",
    "configs/decoding/others.py": "the one decoder, of all other containers",
}


def gray_with_alpha() -> bytes:
    image = picture(120, 100, seed=1).convert("LA")
    image.putalpha(picture(120, 100, seed=2).convert("L"))
    return encode(image, "PNG")


PICTURES = {
    "16 bits": encode(sixteen_bit(120, 100), "PNG"),
    "gray with alpha": gray_with_alpha(),
    "palette with a transparent color": palette_with_transparency(120, 100),
    "rotated by EXIF": with_orientation(picture(120, 100, seed=3), 6),
    "profile": encode(picture(120, 100, seed=4), "JPEG", icc_profile=profile_with_swapped_primaries()),
    "CMYK with a profile": encode(
        picture(120, 100, seed=5).convert("CMYK"),
        "JPEG",
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),  # of other inks: ignored
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_file_gives_the_same_pixels_on_every_way(name: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(PICTURES[name])
    pixels = decode(PICTURES[name], Limits())
    photograph = photos._decode(photos._Photo("picture", path, "0" * 64))
    assert np.array_equal(np.asarray(photograph), pixels)
    assert np.array_equal(np.asarray(sample_command._reference(path)), pixels)


def test_plain_pillow_would_have_given_others() -> None:
    """What the cases are for: each of them but the last is one that ``Image.open(...).convert("RGB")`` gets wrong."""
    for name, data in list(PICTURES.items())[:-1]:
        with Image.open(io.BytesIO(data)) as image:
            plain = np.asarray(image.convert("RGB"))
        assert not np.array_equal(plain, decode(data, Limits())), name


def test_nothing_else_opens_pictures() -> None:
    opens = re.compile(r"\bImage\.open\(|\bimread\(|\bimdecode\(|\bload_image\(")
    found = {
        str(path.relative_to(ROOT))
        for package in ("configs", "pipeline", "synth", "model", "trainer")
        for path in (ROOT / package).rglob("*.py")
        if opens.search(path.read_text("utf-8"))
    }
    assert found == set(OPENERS)
