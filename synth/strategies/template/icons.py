"""Icons of Material Design Icons, by their names: https://pictogrammers.com/library/mdi/ (Apache-2.0)."""

from __future__ import annotations

from functools import lru_cache

from fonticon_mdi7 import MDI7

from configs.files import package_folder
from synth.drawing.colors import RGB
from synth.drawing.layers import OutlineLayer
from synth.fonts.face import Face, open_face
from synth.geometry import Box


def is_icon(name: str) -> bool:
    """Whether there is an icon of this name, as "cart_outline"."""
    return not name.startswith("_") and isinstance(getattr(MDI7, name, None), str)


def icon(name: str, box: Box, rgb: RGB) -> OutlineLayer:
    """The icon in the middle of ``box`` (px), as large as fits."""
    face = _face()
    path = face.outline(face.shape(getattr(MDI7, name)[-1], "en")[0].id)
    bounds = path.getBounds()
    size = min(box[2] - box[0], box[3] - box[1]) / max(bounds.width(), bounds.height())
    x = (box[0] + box[2]) / 2 - size * bounds.centerX()
    y = (box[1] + box[3]) / 2 - size * bounds.centerY()
    return OutlineLayer(path, rgb, size, (x, y))


@lru_cache(maxsize=1)
def _face() -> Face:
    return open_face(package_folder("fonticon_mdi7", "icon") / "fonts/materialdesignicons-webfont.ttf", 0, None)
