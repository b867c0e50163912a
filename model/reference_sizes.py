"""At what sizes the two encoders see a reference, and how many tokens that makes. Arithmetic alone: no torch.

    picture --fitted_size(area)--> (width, height) --VAE, 16 px a token------------> image tokens
                                                   --vision tower, 28 px a token---> vision tokens among the text

Areas and roundings are those of the released edit pipelines and of Qwen2.5-VL's image processor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from configs.errors import UserError

if TYPE_CHECKING:
    from model.templates import Style

VAE_AREA = 1024 * 1024  # px
VISION_AREA: dict[Style, int] = {"single": 1024 * 1024, "multi": 384 * 384}  # px
SHORTEST_EDGE, LONGEST_EDGE = 56 * 56, 12_845_056  # px of area, for all their names: the released processor's limits
_MULTIPLE = 32  # px: of both sides
_VISION_MULTIPLE = 28  # px of a vision token's side: patches of 14, merged two by two
_MAX_ASPECT = 200  # what Qwen2.5-VL's image processor takes


def fitted_size(width: int, height: int, area: int) -> tuple[int, int]:
    """(width, height) of about ``area`` px with the same aspect ratio, both multiples of 32 and at least 32.

    Raises UserError for a picture without area or with sides of more than 200 to 1; the result's are within that too.
    """
    if area < _MULTIPLE**2:
        raise UserError(f"reference_area: {area} px; at least {_MULTIPLE} x {_MULTIPLE} are needed")
    if width < 1 or height < 1:
        raise UserError(f"reference of {width} x {height} has no area")
    if max(width, height) > _MAX_ASPECT * min(width, height):
        raise UserError(f"reference of {width} x {height}: the sides may differ by a factor of {_MAX_ASPECT} at most")
    ratio = width / height
    ideal = math.sqrt(area * ratio)
    w, h = (max(round(side / _MULTIPLE), 1) * _MULTIPLE for side in (ideal, ideal / ratio))
    return min(w, _MAX_ASPECT * h), min(h, _MAX_ASPECT * w)  # rounding the short side may have gone beyond


def vision_tokens(width: int, height: int) -> int:
    """Vision tokens that Qwen2.5-VL makes of a picture of this size: 1,369 of 1024 x 1024, 196 of 384 x 384."""
    unit = _VISION_MULTIPLE
    w, h = round(width / unit), round(height / unit)
    if w * h * unit**2 > LONGEST_EDGE:
        shrink = math.sqrt(width * height / LONGEST_EDGE)
        w, h = (max(1, math.floor(side / shrink / unit)) for side in (width, height))
    elif w * h * unit**2 < SHORTEST_EDGE:
        grow = math.sqrt(SHORTEST_EDGE / (width * height))
        w, h = (math.ceil(side * grow / unit) for side in (width, height))
    return w * h
