"""Damaged pictures, masks in which nothing counts: found at the start, or named when they are drawn."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs import RunFailed
from configs.pictures import DecodeError, Limits, decode
from tests.pipeline.hostile import encode, picture
from tests.trainer.data.folders import folder, put, told
from trainer.data import folder_files
from trainer.data.folder import PictureFolder
from trainer.data.folder_files import looks_whole
from trainer.data.pictures import SamplePictures, StoredPictures


def damaged(data: bytes, mend_checksum: bool = False) -> bytes:
    """A PNG of which the middle of the pixels is lost; header and end are there."""
    at = data.index(b"IDAT") + 4
    (length,) = struct.unpack_from(">I", data, at - 8)
    body = bytearray(data[at : at + length])
    body[length // 2 : length // 2 + 200] = bytes(200)
    checksum = struct.pack(">I", zlib.crc32(b"IDAT" + body)) if mend_checksum else data[at + length : at + length + 4]
    return data[:at] + bytes(body) + checksum + data[at + length + 4 :]


def wrong_checksum(data: bytes) -> bytes:
    """All pixels are there, and the number behind them is not theirs."""
    at = data.index(b"IDAT")
    (length,) = struct.unpack_from(">I", data, at - 4)
    end = at + 4 + length
    return data[:end] + bytes(4) + data[end + 4 :]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders count as too large to be decoded at the start."""
    monkeypatch.setattr(folder_files, "_DECODED", 0)


@pytest.mark.parametrize("hurt", [damaged, lambda data: damaged(data, True)], ids=["checksum", "stream"])
@pytest.mark.parametrize("name", ["a.png", "references/a.png"])
def test_a_small_folder_is_decoded_at_the_start(tmp_path: Path, hurt: Callable[[bytes], bytes], name: str) -> None:
    folder(tmp_path, a="A.", b="B.")
    put(tmp_path / "references" / "a.png", seed=4)
    (tmp_path / name).write_bytes(hurt((tmp_path / name).read_bytes()))
    dataset = PictureFolder.open(tmp_path)
    what = "its reference 1 cannot" if "/" in name else "cannot"
    assert dataset.rows == 1
    assert any(line.startswith(f"1 left out: a.png: {what} be read: ") for line in told(dataset))


@pytest.mark.usefixtures("large")
def test_of_a_large_folder_checksums_are_looked_at(tmp_path: Path) -> None:
    folder(tmp_path, a="A.", b="B.", c="C.")
    (tmp_path / "a.png").write_bytes(damaged((tmp_path / "a.png").read_bytes()))
    (tmp_path / "b.png").write_bytes(wrong_checksum((tmp_path / "b.png").read_bytes()))  # its pixels are all there
    dataset = PictureFolder.open(tmp_path)
    assert dataset.manifest(["uri"])["uri"].to_pylist() == ["b.png", "c.png"]


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("name", ["a.png", "references/a_2.png", "a.jpg"])
def test_what_is_found_when_it_is_drawn_is_the_file_with_its_remedy(tmp_path: Path, name: str) -> None:
    folder(tmp_path, a="A.")
    for number in (1, 2):
        put(tmp_path / "references" / f"a_{number}.png", seed=number)
    if name == "a.jpg":
        (tmp_path / "a.png").unlink()
        data = encode(picture(256, 256, seed=2), "JPEG")
        (tmp_path / name).write_bytes(data[: len(data) // 2] + data[-2:])  # its end mark is there
    else:
        (tmp_path / name).write_bytes(damaged((tmp_path / name).read_bytes(), mend_checksum=True))
    dataset = PictureFolder.open(tmp_path)
    pictures = SamplePictures(StoredPictures(dataset, {0: True}), 0)
    with pytest.raises(RunFailed) as caught:
        pictures.reference(1) if "/" in name else pictures.target((64, 48), (0, 0, 0, 0))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}: cannot be decoded: ")
    assert "replace or remove the file" in message
    for wrong in ("pack", "manifest row", "checkpoints are safe", "\n"):
        assert wrong not in message


def test_a_file_that_changed_says_how_to_go_on(tmp_path: Path) -> None:
    dataset = PictureFolder.open(folder(tmp_path, a="A."))
    put(tmp_path / "a.png", seed=3)
    with pytest.raises(RunFailed, match=r"a\.png: has changed .* put the old one back, or begin again .* --from"):
        dataset.read([0], ["image"])


def mask(path: Path, value: int | tuple[int, ...], mode: str = "L", size: tuple[int, int] = (64, 48)) -> None:
    Image.new(mode, size, value).save(path)


@pytest.mark.parametrize("value", [0, 3])
def test_a_mask_in_which_nothing_counts_is_left_out(tmp_path: Path, value: int) -> None:
    folder(tmp_path, a="A.", b="B.")
    mask(tmp_path / "a.mask.png", value)
    dataset = PictureFolder.open(tmp_path)
    assert dataset.rows == 1
    assert "1 left out: a.png: has a mask that is black all over: nothing of it would count" in told(dataset)


@pytest.mark.parametrize(("value", "mode"), [(255, "L"), (250, "L"), ((255, 0), "LA"), ((0, 0, 0, 0), "RGBA")])
def test_a_mask_that_leaves_nothing_out_is_told(tmp_path: Path, value: int | tuple[int, ...], mode: str) -> None:
    folder(tmp_path, a="A.", b="B.")
    mask(tmp_path / "a.mask.png", value, mode)
    mask(tmp_path / "b.mask.png", 128)
    dataset = PictureFolder.open(tmp_path)
    assert dataset.rows == 2
    assert "1 masks are white all over (as transparency is) and change nothing: a.png" in told(dataset)


def test_a_mask_lies_as_its_picture_does(tmp_path: Path) -> None:
    folder(tmp_path, a="A.", b="B.", c="C.")
    mask(tmp_path / "a.mask.png", 128, size=(48, 64))
    (tmp_path / "b.mask.png").write_bytes(damaged(encode(picture(64, 48, seed=3), "PNG"), mend_checksum=True))
    dataset = PictureFolder.open(tmp_path)
    assert dataset.rows == 1
    assert "1 left out: a.png: has a mask of 48 x 64 px, and is 64 x 48" in told(dataset)
    assert any(line.startswith("1 left out: b.png: its mask cannot be read: ") for line in told(dataset))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_file_that_is_cut_off_does_not_look_whole(form: str) -> None:
    data = encode(picture(64, 48, seed=1), form)
    assert looks_whole(data, form) == (form != "GIF")  # those are always decoded
    assert not looks_whole(data[:-100], form)


def test_pictures_of_any_kind_are_taken(tmp_path: Path) -> None:
    """Transparent, of 16 bits, moving, in CMYK or turned: as the decoder shows them."""
    small = picture(64, 48, seed=1)
    frames = {"save_all": True, "append_images": [picture(64, 48, seed=2)]}
    kinds = {
        "rgba.png": encode(small.convert("RGBA"), "PNG"),
        "deep.png": encode(Image.fromarray(np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 20), "PNG"),
        "moving.gif": encode(small, "GIF", **frames),
        "moving.WEBP": encode(small, "WEBP", **frames),
        "print.JPG": encode(small.convert("CMYK"), "JPEG"),
        "two.tiff": encode(small, "TIFF"),
    }
    for name, data in kinds.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / f"{name.partition('.')[0]}.txt").write_text("x")
    dataset = PictureFolder.open(tmp_path)
    assert dataset.rows == len(kinds)
    for sample in dataset.read(range(dataset.rows), ["image"]):
        try:
            assert decode(sample["image"]["bytes"], Limits()).shape == (48, 64, 3)
        except DecodeError as error:
            pytest.fail(f"{sample['image']['path']}: {error}")
