"""CONTRIBUTING.md, "A medium", followed to the letter: a package of its own, next to ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from configs import UserError
from synth import Recipe, Sample
from synth.strategies.scene.media import find_medium
from tests.recipes.contributing import PAGE, block
from tests.waiting import DEADLINE_S

SCENE = "configs/synth/scene.yaml"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the recipe's module in it, from which this process can import."""
    module = tmp_path / "my_media" / "lantern.py"
    module.parent.mkdir()
    module.write_text(block("### A medium", "python"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("my_media", "my_media.lantern"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    find_medium.cache_clear()
    return tmp_path


def override() -> str:
    """What the recipe's command sets."""
    found = re.search(r"--set '(.+)'", block("### A medium", "bash"))
    assert found
    return found[1]


def test_the_command_previews_a_medium_of_ones_own(package: Path) -> None:
    (package / "configs" / "synth").mkdir(parents=True)
    shutil.copy(PAGE.parent / SCENE, package / SCENE)
    search = os.pathsep.join([str(package), str(PAGE.parent)])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", block("### A medium", "bash")],
        cwd=package,
        env={**os.environ, "PYTHONPATH": search, "PATH": path},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "lanterns.png: 8 samples of recipe scene" in done.stdout
    with Image.open(package / "lanterns.png") as sheet:
        assert sheet.size[0] > 8 * 192


@pytest.mark.parametrize(("language", "words"), [("en", "paper lantern"), ("zh", "一盏灯笼")])
def test_pictures_and_captions_show_it_in_both_languages(package: Path, language: str, words: str) -> None:
    own = "strategy.photos=[{package: skimage, path: data/brick.png, license: CC0-1.0}]"
    short = (own, "strategy.several=0", "contents=[{kind: word}, {kind: line, length: [3, 20]}]")
    recipe = Recipe.load(SCENE, [override(), *short, f"captions.languages={{{language}: 1}}"])
    samples: list[Sample] = []
    lanterns: list[Sample] = []
    # Three of four are lanterns, in an order that is another one with each digest. The photograph is one's own, so that
    # words may stand straight on it.
    while len(lanterns) < 12 or len(lanterns) == len(samples):
        assert len(samples) < 64
        samples.append(recipe.render(len(samples)))
        lanterns += [sample for sample in samples[-1:] if sample.medium == "my_media.lantern:LANTERN"]
    for sample in samples:
        assert (words in sample.captions[0].text) == (sample in lanterns), sample.captions[0].text
    verbs = {"en": "painted", "zh": "写"}
    assert any(verbs[language] in sample.captions[0].text for sample in lanterns)
    colors = {sample.image.convert("P", palette=Image.Palette.WEB, colors=16).tobytes() for sample in lanterns}
    assert len(colors) == len(lanterns)


def test_edit_pairs_take_it_too(package: Path) -> None:
    recipe = Recipe.load(
        "configs/synth/edit.yaml",
        [
            "strategy.photographed=1",
            'strategy.scene.media={"my_media.lantern:LANTERN": 1}',
            "strategy.operations={recolor: 1}",
        ],
    )
    assert {recipe.render(index).medium for index in range(4)} == {"my_media.lantern:LANTERN"}


def test_its_source_is_part_of_the_digest(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Recipe.load(SCENE, [override()]).digest
    assert Recipe.load(SCENE, [override()]).digest == before
    module = package / "my_media" / "lantern.py"
    module.write_text(module.read_text("utf-8").replace('"yellow"', '"orange"'), "utf-8")
    for name in ("my_media", "my_media.lantern"):
        monkeypatch.delitem(sys.modules, name)
    find_medium.cache_clear()
    assert Recipe.load(SCENE, [override()]).digest != before


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("lantern", "media: unknown 'lantern'; allowed: none, sheet of paper,"),
        (
            "nowhere.at_all:LANTERN",
            "media: 'nowhere.at_all:LANTERN' cannot be imported as package.module:NAME: No module",
        ),
        ("my_media.lantern:CANDLE", "media: 'my_media.lantern:CANDLE' cannot be imported as package.module:NAME"),
        (
            "my_media.lantern:PALETTE",
            "'my_media.lantern:PALETTE' is no synth.strategies.scene.carrier.Medium, found a dict",
        ),
    ],
)
def test_what_is_wrong_with_a_medium_is_one_line(package: Path, key: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        Recipe.load(SCENE, [f'strategy.media={{"{key}": 1}}'])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
