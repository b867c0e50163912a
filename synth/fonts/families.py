"""Families that need no file of the user's: Latin and Chinese ones of the installation, of npm and of Debian.

Every Latin family is a wheel of its own (``fontpkg-...``), under the Open Font License or Apache's. Chinese ones come in
wheels and, by ``make fonts``, from npm into the checkout; all under the Open Font License. The styles are chosen, by what
a person would call the face.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from configs.files import find_package

Style = Literal["sans", "serif", "kai", "mono", "display", "handwriting"]
"""``kai``: the regular script of Chinese, printed; nobody calls it handwritten."""

STYLES: tuple[Style, ...] = get_args(Style)

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


@dataclass(frozen=True)
class ChineseFamily:
    """A family as it is distributed: ``file`` in a wheel's ``package``, or npm's ``@fontsource`` package without a file.

    ``wght``: the weights that a variable font is drawn in. ``traditional``: whether its forms are Taiwan's.
    """

    style: Style
    package: str
    file: str = ""
    face: int = 0
    wght: tuple[int, int] | None = None
    traditional: bool = False


CHINESE = (
    ChineseFamily("sans", "manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc", face=2, wght=(300, 900)),
    ChineseFamily("serif", "pylopdf_fonts_zh_cn", "NotoSerifSC-Regular.otf"),
    ChineseFamily("sans", "pylopdf_fonts_zh_tw", "NotoSansTC-Regular.otf", traditional=True),
    ChineseFamily("serif", "pylopdf_fonts_zh_tw", "NotoSerifTC-Regular.otf", traditional=True),
    ChineseFamily("kai", "lxgw-wenkai"),  # light, regular, bold
    ChineseFamily("handwriting", "ma-shan-zheng"),  # brush
    ChineseFamily("handwriting", "long-cang"),  # pen
    ChineseFamily("handwriting", "liu-jian-mao-cao"),  # running script
    ChineseFamily("display", "zcool-kuaile"),  # rounded
    ChineseFamily("display", "zcool-xiaowei"),
)
_NPM = Path(__file__).parents[2] / "node_modules" / "@fontsource"
"""Where ``make fonts`` puts npm's packages: the checkout."""

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


def npm_folder(package: str) -> Path | None:
    """The folder of one of npm's packages, None where ``make fonts`` has not brought it."""
    folder = _NPM / package
    return folder if folder.is_dir() else None


def debian_files(folder: Path = FOLDER) -> list[tuple[Path, int, Style]]:
    """(file, face index, style) of the Chinese fonts that Debian packages brought, each once."""
    found = [(p, face, style) for _, pattern, face, style in _DEBIAN_CHINESE for p in sorted(folder.glob(pattern))]
    return list(dict.fromkeys(found))
