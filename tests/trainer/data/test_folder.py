"""Plain folders as training data: what is paired, what is left out and told, that the order of training takes them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from configs import RunFailed, UserError
from configs.pictures import Limits, decode
from model.tokenizer import load_tokenizer
from pipeline.dataset import Dataset
from pipeline.tokens import count_tokens
from tests.model.folders import random_folder
from tests.pipeline.hostile import NOT_UTF8, encode, picture, with_orientation
from tests.trainer.data.folders import folder, put
from trainer.data.folder import PictureFolder, names_in, open_data
from trainer.order.bucket import windows
from trainer.order.curriculum import Phase, ReferenceConfig, Share
from trainer.order.order import Order, read_index


def rows(dataset: PictureFolder, *columns: str) -> list[tuple[object, ...]]:
    table = dataset.manifest(["uri", *columns])
    return [tuple(row.values()) for row in table.to_pylist()]


def test_pictures_with_captions_beside_them(tmp_path: Path) -> None:
    folder(tmp_path, a="A cat.\n\n 一只猫 \n", b="\ufeffA dog.")
    turned = with_orientation(picture(40, 20, seed=9), 6)
    (tmp_path / "c.jpg").write_bytes(turned)
    (tmp_path / "c.txt").write_text("A bird.")
    dataset = open_data(tmp_path)
    assert isinstance(dataset, PictureFolder)
    assert rows(dataset, "width", "height", "task", "n_captions", "caption_languages", "repeats") == [
        ("a.png", 64, 48, "t2i", 2, "en+zh", 1.0),
        ("b.png", 64, 48, "t2i", 1, "en", 1.0),
        ("c.jpg", 20, 40, "t2i", 1, "en", 1.0),
    ]
    tokens = dataset.manifest(["text_tokens"])["text_tokens"].to_pylist()
    closing = len(load_tokenizer(random_folder() / "tokenizer")("<|im_end|>\n<|im_start|>assistant\n").input_ids)
    assert tokens == [
        closing + n for n in (max(count_tokens(["A cat.", "一只猫"])), *count_tokens(["A dog.", "A bird."]))
    ]
    samples = dataset.read([2, 0], ["id", "image", "captions", "references", "mask"])
    assert samples[0]["image"]["bytes"] == turned
    assert [c["text"] for c in samples[1]["captions"]] == ["A cat.", "一只猫"]
    assert samples[1]["captions"][0]["invalid"] is None
    assert samples[1]["references"] == []
    assert samples[1]["mask"] is None
    assert len({sample["id"] for sample in dataset.read([0, 1, 2])}) == 3


def test_pairs_for_editing_and_a_mask(tmp_path: Path) -> None:
    folder(tmp_path, cat="Make it red.", cat_1="Make it blue.", dog="Swap them.")
    one = put(tmp_path / "references" / "cat.png", 32, 16, seed=5)
    other = put(tmp_path / "references" / "cat_1.webp", 16, 16, seed=6)  # the target cat_1's own, not cat's second
    several = [put(tmp_path / "references" / f"dog_{n}.png", 16, 16 * n, seed=n) for n in (10, 2)]
    mask = put(tmp_path / "cat.mask.png", seed=7)
    dataset = PictureFolder.open(tmp_path)
    assert rows(dataset, "task", "n_captions", "n_instructions", "ref_sizes", "masked") == [
        ("cat.png", "ti2i", 0, 1, [32, 16], True),
        ("cat_1.png", "ti2i", 0, 1, [16, 16], False),
        ("dog.png", "ti2i", 0, 1, [16, 32, 16, 160], False),
    ]
    samples = dataset.read(range(3))
    assert [[r["bytes"] for r in s["references"]] for s in samples] == [[one], [other], several[::-1]]
    assert dataset.read_pictures([2, 0]) == [
        (samples[2]["image"]["bytes"], tuple(several[::-1])), (samples[0]["image"]["bytes"], (one,)),
    ]  # fmt: skip
    assert samples[0]["instructions"][0]["text"] == "Make it red."
    assert samples[0]["captions"] == []
    assert samples[0]["mask"] == mask


def test_a_listing_instead_of_files_beside(tmp_path: Path) -> None:
    for name in ("a.png", "b/b.png", "c.png", "before.png"):
        put(tmp_path / name)
    put(tmp_path / "m.png")
    lines = [
        {"file_name": "a.png", "text": ["One.", "Two."], "license": "mine"},
        {"file_name": "b/b.png", "caption": "Three.", "mask": "m.png", "repeats": 2.5},
        {"file_name": "c.png", "instruction": "Edit.", "text": "After.", "references": ["before.png"]},
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    dataset = PictureFolder.open(tmp_path)
    assert rows(dataset, "task", "n_captions", "n_instructions", "repeats", "masked") == [
        ("a.png", "t2i", 2, 0, 1.0, False),
        ("b/b.png", "t2i", 1, 0, 2.5, True),
        ("c.png", "ti2i", 0, 1, 1.0, False),
    ]
    assert dataset.read([2])[0]["instructions"][0]["text"] == "Edit."
    assert not any("belong to no picture" in line for line in dataset.remarks)


def test_what_cannot_be_trained_on_is_left_out_and_told(tmp_path: Path) -> None:
    folder(tmp_path, good="Fine.", broken="x", empty=" \n", masked="x", edit="x", latin="x")
    put(tmp_path / "silent.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    put(tmp_path / "masked.mask.png", 32, 32)
    (tmp_path / "references").mkdir()
    (tmp_path / "references" / "edit.png").write_bytes(b"")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "lonely.txt").write_text("x")
    (tmp_path / "photo.psd").write_bytes(b"x")
    (tmp_path / "cut.png").write_bytes(encode(picture(64, 48, seed=1), "PNG")[:-200])
    (tmp_path / "cut.txt").write_text("x")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    dataset = PictureFolder.open(tmp_path)
    assert rows(dataset) == [("good.png",)]
    told = "\n".join(line.removeprefix(f"{tmp_path}: ") for line in dataset.remarks)
    for line in (
        "1 pictures with 1 texts, 0 to edit, 0 with a mask",
        "2 left out: empty.png, silent.png: has no caption (put it into a .txt beside the picture, or give 'caption' for "
        "all in a YAML of folders)",
        "1 left out: broken.png: cannot be read: no picture that Pillow can read (it begins with b'no pictu')",
        "1 left out: cut.png: cannot be read: truncated: the data end before the last row",
        "1 left out: edit.png: its reference 1 cannot be read: the file is empty",
        "1 left out: masked.png: has a mask of 32 x 32 px, and is 64 x 48",
        "1 left out: latin.png: has a latin.txt that is not UTF-8",
        "2 files belong to no picture: lonely.txt, photo.psd",
    ):
        assert line in told.splitlines(), told


def test_repeats_of_subfolders_and_their_names(tmp_path: Path) -> None:
    folder(tmp_path / "10_sks cat", a="A cat.")
    put(tmp_path / "10_sks cat" / "b.png")
    folder(tmp_path / "more" / "deep", c="A dog.")
    dataset = PictureFolder.open(tmp_path)
    assert rows(dataset, "repeats") == [
        ("10_sks cat/a.png", 10.0),
        ("10_sks cat/b.png", 10.0),
        ("more/deep/c.png", 1.0),
    ]
    assert dataset.read([1])[0]["captions"][0]["text"] == "sks cat"
    assert f"{tmp_path}: 1 pictures have no text: the name of their subfolder is their caption" in dataset.remarks


def test_several_folders_of_a_yaml(tmp_path: Path) -> None:
    folder(tmp_path / "cat", a="A cat.\nsleeping")
    folder(tmp_path / "cats", b="Cats.")
    put(tmp_path / "cats" / "c.png")
    (tmp_path / "all.yaml").write_text(
        "folders:\n"
        "- {path: cat, repeats: 4, captions: whole, caption_prefix: 'sks, '}\n"
        f"- {{path: {tmp_path / 'cats'}, regularization: true, weight: 0.5, caption: a cat}}\n"
    )
    dataset = open_data(tmp_path / "all.yaml")
    assert isinstance(dataset, PictureFolder)
    assert rows(dataset, "repeats", "regularization", "loss_weight") == [
        ("a.png", 4.0, False, 1.0),
        ("b.png", 1.0, True, 0.5),
        ("c.png", 1.0, True, 0.5),
    ]
    assert [[c["text"] for c in s["captions"]] for s in dataset.read(range(3))] == [
        ["sks, A cat.\nsleeping"], ["Cats."], ["a cat"],
    ]  # fmt: skip
    assert dataset.read([1], ["loss_weight"]) == [{"loss_weight": 0.5}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("folders: []", "at least one folder"),
        ("folders: [{path: cat, repeat: 2}]", "unknown field 'folders.0.repeat'; did you mean repeats"),
        ("folders: [{path: cat, weight: 0}]", "'weight': must be above 0"),
        ("folders: [{path: cat}, {path: nowhere}]", "field 'folders.1.path': "),
    ],
)
def test_a_yaml_that_is_wrong_names_its_field(tmp_path: Path, text: str, message: str) -> None:
    folder(tmp_path / "cat", a="A cat.")
    (tmp_path / "all.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        open_data(tmp_path / "all.yaml")
    assert message in str(caught.value)


def test_nothing_to_train_on_is_one_line(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    for path, message in (
        (tmp_path, "1 left out: a.png: has no caption"),
        (tmp_path / "nowhere", "does not exist; a packed dataset, a folder of pictures"),
        (tmp_path / "a.png", "is a file; a packed dataset"),
    ):
        with pytest.raises(UserError) as caught:
            open_data(path)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    (tmp_path / "data").mkdir()  # half a packed dataset is no folder of pictures
    with pytest.raises(UserError, match=r"dataset\.json"):
        open_data(tmp_path)


def test_the_digest_follows_content_and_texts_but_not_the_place(tmp_path: Path) -> None:
    a, b = folder(tmp_path / "1" / "x", a="A."), folder(tmp_path / "2" / "x", a="A.")
    digest = PictureFolder.open(a).digest
    assert PictureFolder.open(b).digest == digest
    assert PictureFolder.open(a).read([0], ["id"]) == PictureFolder.open(b).read([0], ["id"])
    (b / "a.txt").write_text("B.")
    changed = PictureFolder.open(b).digest
    put(b / "a.png", seed=3)
    assert len({digest, changed, PictureFolder.open(b).digest}) == 3


def test_a_file_that_changes_while_training_stops_it(tmp_path: Path) -> None:
    dataset = PictureFolder.open(folder(tmp_path, a="A.", b="B."))
    put(tmp_path / "a.png", seed=3)
    with pytest.raises(RunFailed, match=r"a\.png: has changed since"):
        dataset.read([0])
    (tmp_path / "b.png").unlink()
    with pytest.raises(RunFailed, match=r"b\.png: no such file"):
        dataset.read([1], ["image"])
    assert dataset.read([1], ["captions"])[0]["captions"][0]["text"] == "B."
    with pytest.raises(IndexError):
        dataset.read([2])


def test_the_manifest_is_that_of_a_dataset(tmp_path: Path) -> None:
    dataset = PictureFolder.open(folder(tmp_path, a="A cat.", b="B cat."))
    table = dataset.manifest()
    assert table.schema == dataset.manifest_schema
    assert table["recipe"].null_count == table["text_level"].null_count == dataset.rows == 2
    assert dataset.manifest(["uri"], "uri == 'b.png' and recipe is null").to_pylist() == [{"uri": "b.png"}]
    with pytest.raises(UserError, match="has no column nothing"):
        dataset.manifest(["nothing"])
    assert table.schema.field("width").type == pa.int32()
    for name in ("open", "path", "digest", "rows", "manifest_schema", "manifest", "reading_costs", "read"):
        assert hasattr(Dataset, name) or name in Dataset.__annotations__, name
        assert hasattr(dataset, name), name


SMALL = ReferenceConfig(vae_area=32 * 32)


def test_the_order_of_training_takes_it(tmp_path: Path) -> None:
    folder(tmp_path / "3_cat", a="A cat.", b="B cat.")
    folder(tmp_path / "reg", c="Cats.")
    put(tmp_path / "reg" / "references" / "c.png")
    dataset = PictureFolder.open(tmp_path)
    mixture = (Share("task == 't2i'", 3), Share("task == 'ti2i'", 1))
    for phase, share in (
        (Phase("all", 40, (64,), "width > 0", 96, references=SMALL), 6 / 7),
        (Phase("all", 40, (64,), "width > 0", 96, mixture, references=SMALL), 3 / 4),
    ):
        order = Order(read_index(dataset, [phase]), [phase], seed=1)
        drawn = np.concatenate([order.batch(step).rows for step in range(order.steps)])
        assert abs((drawn < 2).mean() - share) < 0.03
    pixels = decode(dataset.read([0], ["image"])[0]["image"]["bytes"], Limits())
    assert pixels.shape == (48, 64, 3)


def test_names_of_any_bytes(tmp_path: Path) -> None:
    put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + NOT_UTF8)))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + NOT_UTF8.replace(b"png", b"txt"))).write_text("A cup.")
    put(tmp_path / "\u706b.png")
    (tmp_path / "\u706b.txt").write_text("Fire.")
    dataset = PictureFolder.open(tmp_path)
    assert sorted(rows(dataset)) == [("caf%E9.png",), ("\u706b.png",)]
    assert {s["captions"][0]["text"] for s in dataset.read([0, 1])} == {"A cup.", "Fire."}
    assert len(dataset.digest) == 64


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ('A banner that says "HELLO WORLD".', True),
        ("海报上写着“山水”。", True),
        ("It's a dog's life.", False),
        ("A banner.\nOne that says 'HELLO'.", True),  # one of its captions
    ],
)
@pytest.mark.parametrize("size", [(400, 100), (100, 333), (200, 133)])
def test_nothing_is_cut_of_a_picture_whose_caption_quotes_text(
    tmp_path: Path, text: str, whole: bool, size: tuple[int, int]
) -> None:
    put(tmp_path / "a.png", *size)
    (tmp_path / "a.txt").write_text(text)
    dataset = PictureFolder.open(tmp_path)
    assert rows(dataset, "quoted_box") == [("a.png", [0, 0, *size] if whole else None)]
    assert any("1 pictures have captions that quote text: a.png" in line for line in dataset.remarks) == whole
    phase = Phase("all", 2, (64,), "width > 0", 96, upscale=4.0)
    batch = Order(read_index(dataset, [phase]), [phase], seed=1).batch(0)
    box, _ = windows(np.array([size]), batch.buckets[:1], batch.keeps[:1])
    shown = (box[0, 2:] - box[0, :2]).prod() / np.prod(size)
    assert (shown == 1) == whole


def test_a_strip_with_quoted_text_is_left_out_by_name(tmp_path: Path) -> None:
    put(tmp_path / "strip.png", 2000, 40)
    (tmp_path / "strip.txt").write_text('a banner "HELLO"')
    folder(tmp_path, good="Fine.")
    dataset = PictureFolder.open(tmp_path)
    phase = Phase("all", 2, (64,), "width > 0", 96, upscale=4.0)
    order = Order(read_index(dataset, [phase]), [phase], seed=1)
    (line,) = order.remarks(names_in(dataset))
    assert (
        line
        == f"phase all: 1 rows not drawn: every allowed crop would cut text that the caption quotes: {tmp_path / 'strip.png'}"
    )
    assert order.remarks() == [line.removesuffix(f": {tmp_path / 'strip.png'}")]
