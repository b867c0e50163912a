"""Duplicates: equal and near pictures have a kept copy, different renderings never do."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import cv2
import imagehash
import numpy as np
import polars as pl
import pytest
import skimage
from PIL import Image, ImageDraw, ImageFont

from pipeline.annotators.base import Picture
from pipeline.annotators.measure import MeasureAnnotator
from pipeline.decide.dedup import DedupConfig, ThumbnailReader
from synth import Recipe
from tests.pipeline.decide.whole import find_duplicates
from tests.pipeline.rows import table


def pairs(frame: pl.DataFrame, **config: float) -> dict[str, str]:
    found = find_duplicates(frame, DedupConfig(**config))  # type: ignore[arg-type]
    return dict(found.iter_rows())


def test_equal_pixels_keep_the_longer_file() -> None:
    frame = table(
        {"id": "a", "pixel_sha256": "x", "bytes_len": 10},
        {"id": "b", "pixel_sha256": "x", "bytes_len": 20},
        {"id": "c", "pixel_sha256": "y"},
    )
    assert pairs(frame) == {"a": "b"}


def test_a_near_hash_needs_the_second_check() -> None:
    near = {"phash": 0b111, "pixel_sha256": "x1"}
    frame = table(
        {"id": "kept", "phash": 0, "width": 1280, "height": 960},
        {"id": "smaller copy", "luma": 0.502, **near},
        {"id": "other shape", "width": 640, "height": 640, **near, "pixel_sha256": "x2"},
        {"id": "other light", "luma": 0.7, **near, "pixel_sha256": "x3"},
        {"id": "unscored", "luma": None, **near, "pixel_sha256": "x4"},
    )
    assert pairs(frame) == {"smaller copy": "kept"}
    assert pairs(frame, radius=2) == {}


def test_groups_do_not_chain() -> None:
    frame = table(
        {"id": "a", "phash": 0b0, "bytes_len": 5},
        {"id": "b", "phash": 0b1111, "bytes_len": 4},
        {"id": "c", "phash": 0b11111111, "bytes_len": 3},  # near b, which is not kept, and far from a
    )
    assert pairs(frame) == {"b": "a"}


def test_copies_follow_their_twin_to_the_kept_picture() -> None:
    frame = table(
        {"id": "best", "phash": 0, "bytes_len": 9},
        {"id": "near", "phash": 1, "bytes_len": 8, "pixel_sha256": "n"},
        {"id": "copy of near", "phash": 1, "bytes_len": 7, "pixel_sha256": "n"},
    )
    assert pairs(frame) == {"near": "best", "copy of near": "best"}


def test_2000_renderings_of_different_characters_lose_none() -> None:
    """Their hashes collide by the dozen: a rendered glyph is mostly plain ground."""
    characters = [chr(c) for c in range(0x4E00, 0x4E00 + 2600)]
    settings = ["contents=[{kind: charset, weight: 1, characters: " + "".join(characters) + "}]", "seed=5"]
    recipe = Recipe.load("configs/synth/glyphs.yaml", settings)
    rows, seen = [], set()
    for index in range(3000):
        sample = recipe.render(index)
        if sample.text in seen:
            continue
        seen.add(sample.text)
        rows.append(
            {
                "id": sample.id,
                "recipe": "glyphs",
                "text": sample.text,
                "width": 64,
                "height": 64,
                "phash": int(str(imagehash.phash(sample.image)), 16),
                "pixel_sha256": hashlib.sha256(sample.image.tobytes()).hexdigest(),
                "luma": 0.8,
            }
        )
        if len(rows) == 2000:
            break
    frame = table(*rows)
    assert len(frame) == 2000
    hashes = frame["phash"].to_numpy()
    assert sum(int((np.bitwise_count(hashes[i + 1 :] ^ hashes[i]) <= 4).sum()) for i in range(2000)) > 50
    assert pairs(frame) == {}


def test_the_same_rendering_twice_is_a_duplicate() -> None:
    one = {"recipe": "r", "text": "A", "pixel_sha256": "x"}
    frame = table(
        {"id": "a", **one}, {"id": "b", **one}, {"id": "c", **one, "text": "B"}, {"id": "d", **one, "recipe": "q"}
    )
    assert pairs(frame) == {"b": "a"}


@pytest.mark.parametrize("recipe", [None, "r"])
def test_an_edit_is_no_copy_of_a_picture_or_of_another_edit_that_ends_in_the_same(recipe: str | None) -> None:
    edit = {"task": "ti2i", "pixel_sha256": "x", "phash": 0, "recipe": recipe}
    frame = table(
        {"id": "picture", "pixel_sha256": "x", "phash": 0, "bytes_len": 1},
        {"id": "one", **edit},
        {"id": "other", **edit},
        {"id": "near", **edit, "pixel_sha256": "y", "phash": 1},
        {"id": "again", "pixel_sha256": "x", "phash": 0, "bytes_len": 2},
    )
    assert pairs(frame) == {"picture": "again"}


FONT = Path(cv2.__file__).parent / "qt" / "fonts" / "DejaVuSans.ttf"


def drawn(text: str, size: int = 80) -> Image.Image:
    """A road sign of 800 x 400 px."""
    picture = Image.new("RGB", (800, 400), (0, 110, 60))
    font = ImageFont.truetype(FONT, size)
    ImageDraw.Draw(picture).text((400, 200), text, fill=(255, 255, 255), font=font, anchor="mm")
    return picture


def measured(*pictures: tuple[str, Image.Image, str | None]) -> tuple[pl.DataFrame, ThumbnailReader]:
    """(table, its thumbnails) of (id, picture, what OCR read)."""
    annotator, rows, small = MeasureAnnotator(), [], []
    for name, picture, text in pictures:
        (scores,) = annotator.annotate([Picture({}, np.asarray(picture))])
        small.append(np.frombuffer(scores.pop("thumbnail"), np.uint8))
        size = {"width": picture.width, "height": picture.height}
        rows.append({"id": name, "text": text, **size, **scores})
    return table(*rows), lambda numbers: (np.stack(small)[numbers], np.ones(len(numbers), bool))


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def test_signs_of_one_template_all_stay() -> None:
    """Read by OCR or not; they share a few dozen hashes."""
    frame, small = measured(*((str(n), drawn(f"EXIT {n}"), f"EXIT {n}") for n in range(100, 250)))
    assert frame["phash"].n_unique() < 75
    unread = frame.with_columns(text=pl.lit(None, pl.String))
    for table_, thumbnails in ((frame, small), (frame, None), (unread, small)):
        assert find_duplicates(table_, DedupConfig(), thumbnails=thumbnails).is_empty()
    assert len(find_duplicates(unread, DedupConfig())) > 50  # what neither text nor pixels tell apart


def test_small_print_is_told_apart_by_what_was_read() -> None:
    frame, small = measured(*((text, drawn(text, 9), text) for text in ("Exit 12", "Exit 47", "Shop 93")))
    assert find_duplicates(frame, DedupConfig(), thumbnails=small).is_empty()


def test_copies_in_other_sizes_and_qualities_are_found() -> None:
    """Though compression moves saturation and entropy by far more than ``scores`` allows."""
    astronaut = Image.fromarray(skimage.data.astronaut()).resize((1536, 1536))
    cat = Image.fromarray(skimage.data.chelsea()).resize((1353, 900))
    copies = [
        (name, picture.resize((picture.width // 2, picture.height // 2)))
        for name, picture in (("a", astronaut), ("c", cat))
    ]
    frame, small = measured(
        ("astronaut", astronaut, None),
        ("cat", cat, None),
        *((f"{name} half", jpeg(half, 60), None) for name, half in copies),
        ("poor", jpeg(astronaut, 20), None),
    )
    found = dict(find_duplicates(frame, DedupConfig(), thumbnails=small).iter_rows())
    assert found == {"a half": "astronaut", "c half": "cat", "poor": "astronaut"}


def test_copies_of_small_pictures_are_found_whatever_their_width() -> None:
    """A grid of 32 cells cuts pixels of 300 px and of half of that at other places."""
    coffee = Image.fromarray(skimage.data.coffee())
    wide = [(width, coffee.resize((width, width * 2 // 3), Image.Resampling.LANCZOS)) for width in (300, 330, 420)]
    small = [(f"{n} half", jpeg(p.resize((p.width // 2, p.height // 2)), 80), None) for n, p in wide]
    frame, thumbnails = measured(*((str(width), picture, None) for width, picture in wide), *small)
    found = dict(find_duplicates(frame, DedupConfig(), thumbnails=thumbnails).iter_rows())
    assert found == dict.fromkeys(["300", "330", *(name for name, *_ in small)], "420")


def test_another_color_of_the_same_gray_is_another_picture() -> None:
    red, green = (np.full((400, 400, 3), 200, np.uint8) for _ in range(2))
    red[100:300, 100:300], green[100:300, 100:300] = (200, 40, 60), (20, 96, 50)  # equal in luma
    frame, small = measured(("red", Image.fromarray(red), None), ("green", Image.fromarray(green), None))
    one, other = frame["phash"].to_list()
    assert (one ^ other).bit_count() <= 4
    assert frame["luma"].to_list() == pytest.approx([frame["luma"][0]] * 2, rel=0.03)
    assert find_duplicates(frame, DedupConfig(), thumbnails=small).is_empty()


def test_a_captioned_picture_is_kept_before_a_larger_one_without() -> None:
    near = {"phash": 1, "pixel_sha256": "n"}
    frame = table(
        {"id": "large", "width": 1280, "height": 960, "phash": 0, "n_captions": 0},
        {"id": "captioned", "n_captions": 2, **near},
        {"id": "equal", "n_captions": 0, "bytes_len": 90_000, **near},
        {"id": "unjudged", "n_captions": None, "bytes_len": 95_000, **near},
    )
    assert pairs(frame) == {"large": "captioned", "equal": "captioned", "unjudged": "captioned"}


def test_one_colored_pictures_by_the_thousand_cost_no_pairs() -> None:
    """All of one hash; what differs is their luma."""
    count = 4_000
    luma = np.linspace(0.01, 0.99, count)
    frame = (
        table({})
        .sample(count, with_replacement=True)
        .with_columns(
            id=pl.Series([f"{n:032x}" for n in range(count)]),
            pixel_sha256=pl.Series([str(n) for n in range(count)]),
            luma=pl.Series(luma, dtype=pl.Float32),
        )
    )
    found = find_duplicates(frame, DedupConfig())
    kept = sorted(set(found["duplicate_of"]))
    assert len(found) + len(kept) == count
    lumas = np.array([luma[int(name, 16)] for name in kept])
    assert (np.diff(lumas) > 0.03 * lumas[1:]).all()
