"""The same bytes for any order, process and pickling; another id for anything that changes a pixel."""

from __future__ import annotations

import hashlib
import io
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synth import Recipe, Sample
from tests.synth.common import GLYPHS, PURE, SHIPPED, recipe

INDICES = [0, 3, 17, 999, 1000, 123_456]
PROGRAM = """
import hashlib, sys
from synth import Recipe
recipe = Recipe.load(sys.argv[1])
for index in map(int, sys.argv[2:]):
    sample = recipe.render(index)
    print(index, sample.id, hashlib.sha256(sample.encode()[0] + repr(
        (sample.text, sample.captions, sample.instructions, sample.regions, sample.parents)).encode()).hexdigest())
"""


def fingerprint(sample: Sample) -> str:
    known = (sample.text, sample.captions, sample.instructions, sample.regions, sample.parents)
    return hashlib.sha256(sample.encode()[0] + repr(known).encode()).hexdigest()


@pytest.mark.parametrize(
    "path", [SHIPPED, GLYPHS, "configs/synth/scene.yaml", "configs/synth/edit.yaml", "configs/synth/template.yaml"]
)
def test_two_processes_in_opposite_order_give_the_same_bytes(path: str) -> None:
    outputs = []
    for indices in (INDICES, INDICES[::-1]):
        command = [sys.executable, "-c", PROGRAM, path, *map(str, indices)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path.cwd())
        outputs.append(sorted(done.stdout.splitlines()))
    assert outputs[0] == outputs[1]
    here = sorted(f"{i} {(s := recipe(path).render(i)).id} {fingerprint(s)}" for i in INDICES)
    assert here == outputs[0]


def test_a_pickled_recipe_renders_the_same() -> None:
    there = pickle.loads(pickle.dumps(recipe(PURE)))
    assert there.digest == recipe(PURE).digest
    assert fingerprint(there.render(5)) == fingerprint(recipe(PURE).render(5))


def test_ids_are_32_hex_digits_and_all_different() -> None:
    ids = {recipe(GLYPHS).sample_id(index) for index in range(2000)}
    assert len(ids) == 2000
    assert all(len(i) == 32 and int(i, 16) >= 0 for i in ids)
    assert recipe(GLYPHS).render(4).id == recipe(GLYPHS).sample_id(4)


@pytest.mark.parametrize("override", ["seed=1", "colors.contrast=7", "contents.0.weight=2.5", "fonts.0.wght=[300,800]"])
def test_the_digest_covers_the_config(override: str) -> None:
    assert recipe(PURE, override).digest != recipe(PURE).digest


def test_the_digest_covers_what_files_hold_and_not_where_they_lie(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("第一行文字在这里。\n", "utf-8")
    font = recipe(PURE).fonts[1].path  # a small one
    first, second = tmp_path / "one", tmp_path / "two"
    for folder in (first, second):
        folder.mkdir()
        shutil.copy(font, folder / font.name)

    def digest(folder: Path) -> str:
        config = [f"fonts.1.file={folder}", "fonts.1.package=null", f"corpora=[{{name: own, file: '{text}'}}]"]
        return Recipe.load(PURE, config).digest

    before = digest(first)
    assert digest(second) == before
    text.write_text("另一行文字在这里。\n", "utf-8")
    assert digest(first) != before


@pytest.mark.parametrize("path", [PURE, GLYPHS])
def test_encode_is_lossless(path: str) -> None:
    few, many = 0, 0
    for index in range(30):
        sample = recipe(path).render(index)
        data, form = sample.encode()
        few, many = (few + 1, many) if sample.image.getcolors(256) else (few, many + 1)
        with Image.open(io.BytesIO(data)) as decoded:
            assert decoded.format == form
            assert np.array_equal(np.asarray(decoded.convert("RGB")), np.asarray(sample.image))
    assert few > 0
    assert many > 0 or path == GLYPHS  # both ways of encoding were taken
