"""The digest of a recipe: sha256 over all that decides a pixel.

It covers the config, the contents of every font, corpus, photograph and template, and the versions of the engines that
shape, paint and encode. Where files lie is left out: their contents stand for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Any

import numpy as np

import configs
from synth.corpus.builtin import data_sha256
from synth.corpus.corpus import Corpora
from synth.fonts.source import FontFile

VERSION = "3"
"""Raised whenever the same config would draw other pixels or other words."""


def recipe_digest(
    config: dict[str, Any],
    fonts: Sequence[FontFile],
    corpora: Corpora,
    strategy: dict[str, Any],
    packages: Iterable[str],
) -> str:
    """sha256 (hex) of a recipe.

    ``config``: its config as plain data. ``strategy``: what its ``Drawer.identity`` gives. ``packages``: Python
    packages whose versions decide its texts.
    """
    plain = config | {
        "fonts": [configs.to_plain(font.source) | {"file": font.sha256, "package": None} for font in fonts],
        "corpora": [source | {"file": corpora[source["name"]].sha256} for source in config["corpora"]],
        # Templates stand beside the strategy, not in it: there they would change every digest written so far.
        "strategy": {name: value for name, value in strategy.items() if name != "templates"},
        "templates": strategy.get("templates", {}),
        "packages": {package: metadata.version(package) for package in sorted(set(packages))},
    }
    covered = {"config": plain, "data": data_sha256(), "engines": _engines(), "synth": VERSION}
    return hashlib.sha256(json.dumps(covered, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _engines() -> dict[str, str]:
    """Versions of what shapes, paints, encodes and draws lots."""
    import PIL
    import skia
    import uharfbuzz
    from PIL import features

    return {
        "harfbuzz": uharfbuzz.version_string(),
        "skia": skia.__version__,
        "pillow": PIL.__version__,
        "webp": str(features.version("webp")),
        "numpy": np.__version__,
    }
