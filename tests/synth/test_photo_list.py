"""The listed photographs: their licenses, which are free, what is told of those that are not here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from configs import UserError
from synth import Recipe, photo_list
from synth.photo_list import FREE, listed, on_request, packages
from synth.strategies.scene.scene import SceneDrawer

SCENE = "configs/synth/scene.yaml"


@pytest.fixture
def wheels_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without ``make photographs``."""
    monkeypatch.setattr(photo_list, "FOLDER", tmp_path)


def test_enough_are_free_and_show_something_to_write_on_and_have_marked_subjects() -> None:
    free = [photograph for _, photograph in listed()]
    assert len(free) >= 100
    assert sum(photograph.kind in ("wall", "board", "street") for photograph in free) >= 15
    assert sum(bool(photograph.subjects) for photograph in free) >= 40


def test_every_photograph_is_listed_once_with_its_author_and_whole_boxes() -> None:
    every = [(package, photograph) for package in packages() for photograph in package.photographs]
    names = Counter(photograph.name for _, photograph in every)
    assert names.most_common(1)[0][1] == 1
    assert len({photograph.sha256 for _, photograph in every}) == len(every)
    for package, photograph in every:
        assert photograph.author
        assert len(photograph.sha256) == 64
        assert bool(package.debian) != bool(package.python)
        for left, top, right, bottom in photograph.subjects:
            assert 0 <= left < right <= 1, photograph.name
            assert 0 <= top < bottom <= 1, photograph.name


def test_share_alike_and_gpl_come_on_request_alone() -> None:
    assert {photograph.license for _, photograph in listed()} <= set(FREE)
    assert on_request() == ["CC-BY-SA-4.0", "GPL-2.0-or-later"]
    asked = {photograph.license for _, photograph in listed(["CC-BY-SA-4.0"])}
    assert "CC-BY-SA-4.0" in asked
    assert "GPL-2.0-or-later" not in asked


@pytest.mark.usefixtures("wheels_alone")
def test_what_is_not_installed_is_left_out_and_told() -> None:
    recipe = Recipe.load(SCENE)
    assert isinstance(recipe.drawer, SceneDrawer)
    photos = recipe.drawer.photos
    assert photos.summary == "97 of 106 photographs of the collection are not installed: make photographs"
    shown = {recipe.render(index).parents[-1].split(":")[1].split("@")[0] for index in range(12)}
    assert shown <= {p.name for package in packages() if package.python for p in package.photographs}


def test_the_digest_tells_machines_with_more_photographs_apart(wheels_alone: None, tmp_path: Path) -> None:
    without = Recipe.load(SCENE).digest
    assert Recipe.load(SCENE).digest == without
    (tmp_path / "petra.webp").write_bytes(b"RIFF")
    assert Recipe.load(SCENE).digest != without


@pytest.mark.usefixtures("wheels_alone")
def test_a_row_says_the_license_of_its_photograph() -> None:
    chelsea = Recipe.load(SCENE, ["strategy.photos=[{collection: free, kinds: [building]}]"])
    sample = chelsea.render(0)
    assert sample.parents[-1].startswith("photo:china.jpg@")
    assert "CC-BY-2.0" in sample.license


@pytest.mark.usefixtures("wheels_alone")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{}", "photographs need either path or collection"),
        ("{path: a.jpg, collection: free}", "photographs need either path or collection"),
        ("{path: a.jpg, kinds: [wall]}", "licenses and kinds are for a collection"),
        (
            "{collection: free, licenses: [CC-BY-NC-4.0]}",
            "no photograph of the collection is under 'CC-BY-NC-4.0'; on request: CC-BY-SA-4.0, GPL-2.0-or-later",
        ),
        ("{collection: free, kinds: [people]}", "no photograph of kinds people is installed; make photographs"),
    ],
)
def test_a_wrong_source_is_one_line(source: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        Recipe.load(SCENE, [f"strategy.photos=[{source}]"])
    assert "\n" not in str(error.value)
