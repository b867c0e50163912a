"""ICC profiles: what a profile does counts, not what it is called.

A profile that leaves colors where they are within ``_SAME`` of 255 levels is sRGB by another name: its pixels stay
untouched, because a round trip would only shift them by rounding. All others are applied by LittleCMS.
"""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

_SAME = 2  # chosen: tables of the sRGB profiles in use differ by one level from each other
_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
_LEVELS = np.linspace(0, 255, 9).round().astype(np.uint8)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Mode RGB, L, CMYK or LAB -> RGB in sRGB. A profile that is broken or of other channels is ignored."""
    if image.mode == "LAB":
        transform = _transform(None, "LAB")
    elif not profile:
        return image.convert("RGB")
    else:
        space = _space(profile)
        if space == "RGB " and image.mode == "L":
            image = image.convert("RGB")
        transform = _transform(profile, image.mode) if space == _SPACES.get(image.mode) else None
    if transform is None:
        return image.convert("RGB")
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # None only with inPlace
    return converted


def _space(profile: bytes) -> str:
    return profile[16:20].decode("latin-1")


@functools.lru_cache(maxsize=32)  # chosen: cameras and editors embed the same few; CMYK ones take half a megabyte
def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None where the profile cannot be used, or changes nothing."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        return None if mode in ("RGB", "L") and _changes_nothing(transform, mode) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    if mode == "L":
        before = np.arange(256, dtype=np.uint8)[None]
    else:
        before = np.stack(np.meshgrid(_LEVELS, _LEVELS, _LEVELS), axis=-1).reshape(1, -1, 3)
    after = ImageCms.applyTransform(Image.fromarray(before), transform)
    same = np.asarray(Image.fromarray(before).convert("RGB"), dtype=np.int16)
    return bool(np.abs(np.asarray(after, dtype=np.int16) - same).max() <= _SAME)
