"""Families that need no file of the user's: Latin ones that come with the installation, Chinese ones of Debian.

Every Latin family is a wheel of its own (``fontpkg-...``), under the Open Font License or Apache's. The styles are
chosen, by what a person would call the face.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from configs.files import find_package

Style = Literal["sans", "serif", "kai", "mono", "display", "handwriting"]
"""``kai``: the regular script of Chinese, printed; nobody calls it handwritten."""

LATIN: dict[Style, tuple[str, ...]] = {
    "sans": ("inter", "roboto", "open_sans", "montserrat", "nunito", "work_sans", "dm_sans", "rubik", "karla"),
    "serif": (
        *("playfair_display", "lora", "eb_garamond", "libre_baskerville", "bitter", "crimson_text"),
        "source_serif_4",
    ),
    "mono": ("jetbrains_mono", "space_mono", "inconsolata", "source_code_pro"),
    "display": (
        *("lobster", "pacifico", "anton", "oswald", "bebas_neue", "abril_fatface", "righteous", "alfa_slab_one"),
        *("titan_one", "orbitron", "cinzel", "press_start_2p", "fredoka", "comfortaa", "teko"),
    ),
    "handwriting": (
        *("caveat", "dancing_script", "satisfy", "indie_flower", "shadows_into_light", "great_vibes"),
        *("permanent_marker", "kalam"),
    ),
}

# Debian package, files under /usr/share/fonts, face index, style.
_DEBIAN_CHINESE: tuple[tuple[str, str, int, Style], ...] = (
    ("fonts-lxgw-wenkai", "truetype/lxgw-wenkai/LXGWWenKai-*.ttf", 0, "kai"),
    ("fonts-noto-cjk", "opentype/noto/NotoSerifCJK-*.ttc", 2, "serif"),
    ("fonts-noto-cjk-extra", "opentype/noto/NotoSerifCJK-*.ttc", 2, "serif"),
    ("fonts-arphic-ukai", "truetype/arphic/ukai.ttc", 0, "kai"),
    ("fonts-arphic-uming", "truetype/arphic/uming.ttc", 0, "serif"),
    ("fonts-arphic-gbsn00lp", "truetype/arphic-gbsn00lp/gbsn00lp.ttf", 0, "serif"),
    ("fonts-arphic-gkai00mp", "truetype/arphic-gkai00mp/gkai00mp.ttf", 0, "kai"),
    ("fonts-wqy-zenhei", "truetype/wqy/wqy-zenhei.ttc", 0, "sans"),
    ("fonts-wqy-microhei", "truetype/wqy/wqy-microhei.ttc", 0, "sans"),
    ("fonts-babelstone-han", "truetype/babelstone/BabelStoneHan.ttf", 0, "serif"),
)
FOLDER = Path("/usr/share/fonts")


def latin_files(family: str) -> list[Path]:
    """The files of a Latin family, in a stable order; empty where its wheel is not installed."""
    folder = find_package(f"fontpkg_{family}")
    return sorted((folder / "files").glob("*.[to]tf")) if folder else []


def chinese_files(folder: Path = FOLDER) -> list[tuple[Path, int, Style]]:
    """(file, face index, style) of the Chinese fonts that Debian packages brought, each once."""
    found = [(p, face, style) for _, pattern, face, style in _DEBIAN_CHINESE for p in sorted(folder.glob(pattern))]
    return list(dict.fromkeys(found))
