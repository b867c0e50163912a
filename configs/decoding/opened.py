"""What each reader gives: the header of a picture, and the way to its pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image


class DecodeError(ValueError):
    """The bytes are not a picture that can be had within the limits; the message is one short reason."""


@dataclass(frozen=True)
class Opened:
    """A picture whose header was read. ``width`` and ``height`` in px as stored, before it is turned.

    ``orientation``: 1..8 as in EXIF. ``rgb``: decodes it to mode RGB, sRGB on white, not turned; may raise anything.
    """

    format: str
    width: int
    height: int
    orientation: int
    rgb: Callable[[], Image.Image]
