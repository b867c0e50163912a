"""The digest of a recipe: sha256 over all that decides a pixel.

It covers the config, the contents of every font, corpus, photograph and template, the code of kinds and media of one's own, and
the versions of the engines that shape, paint and encode. Where files lie is left out: their contents stand for them.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import numpy as np
import PIL
import skia
import uharfbuzz
from PIL import features

from configs.errors import UserError
from configs.renamed import to_first_names
from synth.content.base import Content
from synth.corpus.builtin import data_sha256
from synth.corpus.corpus import Corpora
from synth.fonts.source import FontFile

_VERSION = "11"
"""Raised whenever the same config would draw other pixels or other words."""


def recipe_digest(
    config: dict[str, Any],
    fonts: Sequence[FontFile],
    corpora: Corpora,
    strategy: dict[str, Any],
    contents: Sequence[Content],
) -> str:
    """sha256 (hex) of a recipe.

    ``config``: its config as plain data, each field under the name it had first, so that a better name leaves the
    digest of every recipe as it was. ``strategy``: what its ``Drawer.identity`` gives. Raises UserError where the
    code of a kind of one's own cannot be read.
    """
    packages = sorted({package for content in contents for package in content.packages})
    plain = config | {
        "fonts": [to_first_names(font.source) | {"file": font.sha256, "package": None} for font in fonts],
        "corpora": [source | {"file": corpora[source["name"]].sha256} for source in config["corpora"]],
        # Templates stand beside the strategy, not in it: there they would change every digest written so far.
        "strategy": {name: value for name, value in strategy.items() if name != "templates"},
        "templates": strategy.get("templates", {}),
        "packages": {package: metadata.version(package) for package in packages},
    }
    covered = {"config": plain, "data": data_sha256(), "engines": _engines(), "synth": _VERSION}
    media = strategy.get("scene") or strategy
    kinds = (strategy["kind"], *(content.kind for content in contents), *media.get("media", ()))
    own = [kind for kind in kinds if ":" in kind]
    if own:
        covered["own"] = {kind: _code_sha256(kind) for kind in own}
    return hashlib.sha256(json.dumps(covered, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _code_sha256(kind: str) -> str:
    """sha256 of the file that defines ``package.module:Class``; what that file imports is not covered."""
    module = kind.partition(":")[0]
    try:
        source = inspect.getsource(sys.modules[module])
    except OSError as error:
        raise UserError(f"kind '{kind}': its code cannot be read for the recipe's digest: {error}") from None
    return hashlib.sha256(source.encode()).hexdigest()


def _engines() -> dict[str, str]:
    """Versions of what shapes, breaks, paints, encodes and draws lots."""
    return {
        "harfbuzz": uharfbuzz.version_string(),
        "skia": skia.__version__,
        "pillow": PIL.__version__,
        "webp": str(features.version("webp")),
        "numpy": np.__version__,
        "regex": metadata.version("regex"),  # whose Unicode decides what is drawn and where a line may end
        "jieba": metadata.version("jieba"),  # whose words stay whole
    }
