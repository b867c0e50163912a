"""Scenes: text in photographs and on things set into them, with quads that hold its ink, visible, unlost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs import UserError
from synth import Recipe, photo_list
from synth.drawing import regions
from synth.errors import Undrawable
from synth.strategies.scene.flat_areas import covered, find_flat_box
from synth.strategies.scene.media import MEDIA
from synth.strategies.scene.scene import SceneDrawer
from tests.synth.common import recipe
from tests.synth.test_geometry import alone, drawn, glyphs_of, ink, outside

SCENE = "configs/synth/scene.yaml"


@pytest.mark.parametrize("media", [None, "{none: 1}"])
def test_every_glyph_in_perspective_stays_inside_its_quad(media: str | None) -> None:
    straight = (f"strategy.media={media}", "contents=[{kind: word}, {kind: sign}]") if media else ()
    overrides = ("strategy.several=0", *straight)
    for index in range(25):
        drawing = drawn(recipe(SCENE, *overrides), index).drawing
        (layer,) = drawing.texts
        found = regions.of(drawing)
        glyphs = [r for r in found if r.level == "glyph"]
        for (row, column, glyph), region in zip(glyphs_of(layer), glyphs, strict=True):
            mask = ink(drawing.canvas, alone(layer, row, column))
            assert region.text == glyph.text
            assert mask.any(), (index, glyph.text)
            assert outside(mask, region.quad) == 0, f"{index}: ink of '{glyph.text}' leaves its quad"
        w, h = drawing.canvas
        assert all(-2 <= x <= w + 2 for r in found for x in r.quad[::2]), index
        assert all(-2 <= y <= h + 2 for r in found for y in r.quad[1::2]), index


def test_outside_of_the_lines_the_photograph_is_untouched() -> None:
    straight = recipe(
        SCENE, "strategy.media={none: 1}", "effects.weights={plain: 1}", "contents=[{kind: word}, {kind: sign}]"
    )
    for index in range(12):
        composition = drawn(straight, index)
        before = np.asarray(composition.drawing.layers[0].pixels).astype(int)
        changed = (np.asarray(composition.image).astype(int) != before).any(axis=2)
        lines = [r.quad for r in regions.of(composition.drawing) if r.level == "line"]
        inside = np.ones_like(changed)
        for quad in lines:
            inside &= ~_filled(quad, changed.shape)
        assert not (changed & inside).any(), index
        assert np.abs(np.asarray(composition.image).astype(int) - before)[changed].mean() > 16


def _filled(quad: tuple[float, ...], shape: tuple[int, int]) -> np.ndarray:
    from PIL import ImageDraw

    mask = Image.new("1", shape[::-1])
    ImageDraw.Draw(mask).polygon([(quad[i], quad[i + 1]) for i in (0, 2, 4, 6)], fill=1, outline=1)
    return np.asarray(mask)


@pytest.mark.parametrize("medium", list(MEDIA))
def test_each_medium_is_drawn_and_named(medium: str) -> None:
    short = ("contents=[{kind: word}, {kind: line, length: [3, 12]}]",) if MEDIA[medium].most else ()
    one = recipe(SCENE, f"strategy.media={{{medium}: 1}}", "captions.languages={en: 1}", *short)
    pictures = [one.render(index) for index in range(3)]
    assert all(medium in sample.captions[0].text for sample in pictures)
    assert len({sample.image.tobytes() for sample in pictures}) == 3


@pytest.mark.parametrize(("content", "said"), [("sign, slots: {name: 1}", "name"), ("number", "number")])
def test_a_thing_carries_what_such_things_say(content: str, said: str) -> None:
    made = recipe(SCENE, f"contents=[{{kind: {content}}}]", "strategy.several=0")
    media = {drawn(made, index).medium for index in range(24)} - {None}
    assert len(media) > 3
    assert all(said in MEDIA[medium].says for medium in media), media


def test_where_no_medium_says_such_a_thing_all_of_them_do() -> None:
    made = recipe(SCENE, "contents=[{kind: sign, slots: {way: 1}}]", "strategy.media={storefront: 1}")
    assert {drawn(made, index).medium for index in range(4)} == {"storefront"}


def test_parents_and_license_name_the_photograph() -> None:
    sample = recipe(SCENE, "strategy.several=0").render(3)
    assert [parent.split(":")[0] for parent in sample.parents] == ["font", "corpus", "photo"]
    assert "Apache-2.0" in sample.license
    assert any(name in sample.license for name in ("CC0-1.0", "CC-BY-2.0", "LicenseRef-public-domain"))


def test_a_flat_place_is_found_and_a_rough_one_refused() -> None:
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 256, (32, 32)).astype(float)
    with pytest.raises(Undrawable, match="no flat place"):
        find_flat_box(rough, (256, 256), 2.0, rng)
    rough[8:24, 4:28] = 90
    for _ in range(20):
        x0, y0, x1, y1 = find_flat_box(rough, (256, 256), 2.0, rng)
        assert 24 <= x0 < x1 <= 232
        assert 56 <= y0 < y1 <= 200


def test_a_flat_place_lies_beside_an_edge_and_not_across_it() -> None:
    cells = np.full((32, 64), 200.0)
    cells[:, 20] = 20.0  # a post: the mean gradient of a box across it is low all the same
    for seed in range(40):
        x0, _, x1, _ = find_flat_box(cells, (512, 256), 3.0, np.random.default_rng(seed))
        assert x1 <= 20 * 8 + 8 or x0 >= 20 * 8


def test_what_people_write_on_mostly_carries_handwriting() -> None:
    words = "contents=[{kind: line, languages: {en: 1}}]"

    def by_hand(medium: str) -> int:
        one = recipe(SCENE, f"strategy.media={{{medium}: 1}}", words)
        return sum(any(f.handwriting for f in drawn(one, index).fonts) for index in range(30))

    assert by_hand("sticky note") >= 18
    assert by_hand("street sign") <= 14


SHEETS = "{sheet of paper: 1, shop sign: 1, sticky note: 1}"


@pytest.mark.parametrize("kind", ["animal", "still", "nature", "building"])
def test_things_with_text_keep_off_the_subjects_of_photographs(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(photo_list, "FOLDER", tmp_path)  # those that the wheels carry
    assert _subjects_kept_free(kind, SHEETS, 20) >= 3


@pytest.mark.parametrize("media", ["{none: 1}", SHEETS])
def test_text_keeps_off_a_subject_that_is_as_flat_as_the_rest(
    media: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Image.new("RGB", (300, 200), (200, 190, 180)).save(tmp_path / "flat.png")
    flat = photo_list.Photograph(
        "flat.png", "", "", "CC0-1.0", "nobody", "wall", "plain", subjects=((0.3, 0.3, 0.7, 0.7),)
    )
    monkeypatch.setattr(photo_list, "FOLDER", tmp_path)
    monkeypatch.setattr(photo_list, "packages", lambda: (photo_list.PhotoPackage("", "", (flat,), debian="flat"),))
    assert _subjects_kept_free("wall", media, 30) >= 3  # a table hides most


def _subjects_kept_free(kind: str, media: str, pictures: int = 10) -> int:
    """How many subjects so many pictures show; fails where text covers more than a twentieth of one."""
    photos = f"strategy.photos=[{{collection: free, kinds: [{kind}]}}]"
    kept = Recipe.load(SCENE, [f"strategy.media={media}", photos, "contents=[{kind: word}]"])
    boxes = 0
    for index in range(pictures):
        composition = drawn(kept, index)
        assert composition.backdrop
        shape = composition.drawing.canvas[::-1]
        text = np.zeros(shape, bool)
        for region in regions.of(composition.drawing):
            text |= _filled(region.quad, shape)
        for x0, y0, x1, y1 in composition.backdrop.subjects:
            under = text[round(y0) : round(y1), round(x0) : round(x1)]
            assert under.size == 0 or under.mean() <= 0.05, (index, composition.backdrop.id)
            boxes += 1
    return boxes


def test_what_a_quad_covers_of_a_box_is_counted() -> None:
    quad = np.array([(50, 0), (100, 0), (100, 100), (50, 100)], float)
    assert covered(quad, []) == 0
    assert covered(quad, [(100, 100, 200, 200)]) == 0
    assert covered(quad, [(0, 0, 100, 100), (150, 0, 200, 50)]) == 0.5


def test_a_flat_place_shares_nothing_with_what_it_is_to_avoid() -> None:
    cells, rng = np.full((32, 32), 120.0), np.random.default_rng(0)
    for _ in range(30):
        x0, _, x1, _ = find_flat_box(cells, (256, 256), 2.0, rng, [(96, 0, 160, 256)])
        assert x1 <= 96 or x0 >= 160
    with pytest.raises(Undrawable):
        find_flat_box(cells, (256, 256), 2.0, rng, [(8, 8, 248, 248)])


def test_photographs_that_cannot_be_read_are_counted_and_passed_over(tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), (200, 190, 180)).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 not a picture")
    Image.new("RGB", (20, 20)).save(tmp_path / "small.png")
    mixed = Recipe.load(SCENE, [f"strategy.photos=[{{path: {tmp_path}}}]"])
    samples = [mixed.render(index) for index in range(8)]
    assert all(sample.parents[-1].startswith("photo:good.png@") for sample in samples)
    assert isinstance(mixed.drawer, SceneDrawer)
    assert list(mixed.drawer.photos.unreadable) == ["bad.jpg"]


def test_photographs_without_text_come_from_a_dataset(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for number, (level, domain) in enumerate([(0, "nature"), (2, "nature"), (0, "synthetic"), (None, "nature")]):
        Image.new("RGB", (300, 200), (200, 190, 180 - number)).save(tmp_path / "x.png")
        image = {"bytes": (tmp_path / "x.png").read_bytes(), "path": "x.png"}
        known = {"text_level": level, "domain": domain, "license": "CC0-1.0", "sha256": f"{number:064}"}
        rows.append({"id": f"{number:032}", "image": image, **known})
    (tmp_path / "set" / "data").mkdir(parents=True)
    (tmp_path / "set" / "dataset.json").write_text("{}")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "set" / "data" / "a.parquet", row_group_size=2)
    made = Recipe.load(SCENE, [f"strategy.photos=[{{path: {tmp_path}/set}}]"])
    samples = [made.render(index) for index in range(4)]
    assert {sample.parents[-1] for sample in samples} == {f"photo:{0:032}@{'0' * 12}"}
    assert all("CC0-1.0" in sample.license for sample in samples)
    pq.write_table(pa.Table.from_pylist(rows[1:]), tmp_path / "set" / "data" / "a.parquet")
    with pytest.raises(UserError, match="holds no photograph without text"):
        Recipe.load(SCENE, [f"strategy.photos=[{{path: {tmp_path}/set}}]"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("strategy.photos=[]", "photos must hold at least one source"),
        ("strategy.photos=[{path: nowhere}]", "strategy.photos.0.path: nowhere does not exist"),
        ("strategy.photos=[{path: tests/synth}]", "holds no picture"),
        ("strategy.photos=[{package: no_such, path: x}]", "strategy.photos.0.package: the Python package 'no_such'"),
        ("strategy.media={kettle: 1}", "media: unknown 'kettle'; allowed: none, sheet of paper"),
        ("strategy.perspective=[0, 0.5]", "perspective must be"),
        ("strategy.kind=dream", "strategy"),
    ],
)
def test_wrong_scenes_are_one_line(override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        Recipe.load(SCENE, [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_text_is_seen_smaller_than_the_recipe_allows() -> None:
    tilted = recipe(SCENE, "strategy.perspective=[0.2, 0.25]", "layout.min_size=14", "contents=[{kind: word}]")
    for index in range(20):
        for layer in drawn(tilted, index).drawing.texts:
            heights = [
                float(np.linalg.norm(np.subtract(r.quad[6:8], r.quad[:2])))
                for r in regions.layer_regions(layer)
                if r.level == "line" and r.direction == "ltr"
            ]
            assert layer.seen_size >= 0.85 * 14
            assert all(height > 0.7 * 14 for height in heights), (index, heights)
