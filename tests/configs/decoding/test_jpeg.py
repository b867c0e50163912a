"""JPEG: whole only where every scan reaches its end; broken metadata cost nothing."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from configs.pictures import DecodeError, Limits, decode, probe
from tests.pipeline.hostile import encode, picture

LIMITS = Limits()
WIDE, HIGH = 208, 144
KINDS: dict[str, dict[str, object]] = {
    "baseline": {},
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "optimized": {"optimize": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "many restarts": {"restart_marker_blocks": 7},
    "progressive with restarts": {"progressive": True, "restart_marker_rows": 2},
}
FILES = {(kind, mode): encode(picture(WIDE, HIGH, seed=1).convert(mode), "JPEG", quality=92, **options)
         for kind, options in KINDS.items() for mode in ("RGB", "L", "CMYK")}  # fmt: skip
"""(kind, mode) -> bytes."""
FORMS = pytest.mark.parametrize("form", FILES, ids="-".join)
END = b"\xff\xd9"


def start_of_data(data: bytes) -> int:
    """Behind the header of the first scan."""
    scan = data.index(b"\xff\xda")
    return scan + 2 + struct.unpack_from(">H", data, scan + 2)[0]


def refused(data: bytes) -> bool:
    try:
        decode(data, LIMITS)
    except DecodeError as error:
        return "truncated" in str(error) or "scan" in str(error) or "broken" in str(error)
    return False


@FORMS
def test_a_whole_one_gives_the_pixels_of_pillow(form: tuple[str, str]) -> None:
    data = FILES[form]
    plain = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(decode(data, LIMITS), plain)
    assert np.array_equal(decode(data + b"\0" * 5000, LIMITS), plain)
    assert np.array_equal(decode(data + b"trailing " + data[: len(data) // 2], LIMITS), plain)
    assert np.array_equal(decode(data[:-2] + b"\xff" * 9 + END, LIMITS), plain)  # fill bytes before the marker


def endings(cut: bytes, missing: int) -> Iterator[bytes]:
    """What may follow data that end early."""
    yield cut
    yield cut + END
    yield cut + b"\0" * missing
    yield cut + b"\0" * missing + END
    yield cut + b"\xff" * missing
    yield cut + END + b"\0" * 4096
    yield cut + END + FILES["baseline", "RGB"]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.75, 0.97])
@FORMS
def test_one_without_its_rest_is_refused_whatever_follows(form: tuple[str, str], share: float) -> None:
    data = FILES[form]
    start = start_of_data(data)
    place = start + int((len(data) - 2 - start) * share)
    for number, ending in enumerate(endings(data[:place], len(data) - place)):
        assert refused(ending), number


@pytest.mark.parametrize("missing", [64, 200])
@FORMS
def test_a_few_missing_bytes_are_missed(form: tuple[str, str], missing: int) -> None:
    data = FILES[form][:-2]
    cut = data[:-missing]
    if cut[-1] == 0xFF:
        cut = cut[:-1]
    assert refused(cut + END)


@FORMS
def test_without_an_end_marker_no_byte_may_be_missing_or_not(form: tuple[str, str]) -> None:
    for missing in (0, 1, 2, 5, 20):
        assert refused(FILES[form][: -2 - missing]), missing


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", ["progressive", "progressive with restarts"])
def test_a_hole_in_any_scan_of_a_progressive_one(kind: str, mode: str) -> None:
    data = FILES[kind, mode]
    scans = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    assert len(scans) > 5
    for first, second in zip(scans, [*scans[1:], len(data) - 2], strict=True):
        start = first + 2 + struct.unpack_from(">H", data, first + 2)[0]
        end = data.find(b"\xff\xc4", start, second)
        end = second if end < 0 else end
        middle = (start + end) // 2
        if end - start > 300:
            assert refused(data[:middle] + data[end:])  # the rest of the scan is gone, the next ones are there


def component_by_component() -> bytes:
    """A baseline JPEG of three components, each in a scan of its own: three gray ones put together."""
    planes = [encode(plane, "JPEG", quality=90) for plane in picture(WIDE, HIGH, seed=6).convert("YCbCr").split()]
    frame = planes[0].index(b"\xff\xc0")
    parts = [planes[0][:frame], b"\xff\xc0\0\x11\x08", struct.pack(">HH", HIGH, WIDE), b"\3\1\x11\0\2\x11\0\3\x11\0"]
    parts.append(planes[0][frame + 13 : planes[0].index(b"\xff\xda")])
    for number, plane in enumerate(planes, 1):
        parts += [b"\xff\xda\0\x08\1", bytes((number, 0, 0, 63, 0)), plane[start_of_data(plane) : -2]]
    return b"".join([*parts, END])


def test_a_scan_for_each_component() -> None:
    data = component_by_component()
    assert np.array_equal(decode(data, LIMITS), np.asarray(Image.open(io.BytesIO(data))))
    scans = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    with pytest.raises(DecodeError, match="scans are missing"):
        decode(data[: scans[2]] + END, LIMITS)
    for first, second in zip(scans, [*scans[1:], len(data) - 2], strict=True):
        assert refused(data[: (first + second) // 2] + data[second:])
    assert refused(data[: scans[1] - 3000] + b"\0" * 3000 + data[scans[1] :])


def test_a_scan_that_was_never_sent() -> None:
    data = FILES["progressive", "RGB"]
    last = data.rindex(b"\xff\xda")
    tables = data.rindex(b"\xff\xc4", 0, last)
    with pytest.raises(DecodeError, match="scans are missing"):
        decode(data[:tables] + END, LIMITS)


def test_rows_that_the_header_makes_up() -> None:
    for form in FILES:
        data = FILES[form]
        frame = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC1, 0xC2))
        for change in (16, 300):
            assert refused(data[: frame + 5] + struct.pack(">H", HIGH + change) + data[frame + 7 :]), form


@pytest.mark.parametrize("kind", ["restarts", "many restarts"])
def test_a_lost_part_between_two_restarts_is_missed(kind: str) -> None:
    data = FILES[kind, "RGB"]
    markers = [i for i in range(start_of_data(data), len(data) - 1) if data[i] == 0xFF and 0xD0 <= data[i + 1] <= 0xD7]
    half = len(markers) // 2
    with pytest.raises(DecodeError, match="restart markers"):
        decode(data[: markers[half]] + data[markers[half + 1] :], LIMITS)


@pytest.mark.parametrize("color", [0, 128, 255])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_flat_ones_are_whole(kind: str, mode: str, color: int) -> None:
    """Their data are a few bytes, and what libjpeg makes up for missing ones looks the same at 128."""
    for size in ((1, 1), (8, 8), (17, 9), (640, 400)):
        image = Image.new("L", size, color).convert(mode)
        data = encode(image, "JPEG", **KINDS[kind])
        assert decode(data, LIMITS).shape == (size[1], size[0], 3)


def test_extra_bytes_before_the_end_are_no_loss_up_to_a_point() -> None:
    """Cameras leave some; hundreds are what a lost rest was replaced by."""
    for kind in ("baseline", "progressive"):
        data = FILES[kind, "RGB"]
        assert decode(data[:-2] + b"\0" * 40 + END, LIMITS).shape == (HIGH, WIDE, 3)
        assert refused(data[:-2] + b"\0" * 400 + END)


def test_the_picture_of_an_mpo_is_its_first() -> None:
    buffer = io.BytesIO()
    first, second = picture(WIDE, HIGH, seed=3), picture(200, 100, seed=4)
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=95)
    data = buffer.getvalue()
    assert probe(data, LIMITS).format == "MPO"
    assert np.abs(decode(data, LIMITS).astype(int) - np.asarray(first)).mean() < 8
    end = data.index(END + b"\xff\xd8")
    assert refused(data[: end // 2] + data[end:])


def segment(marker: int, body: bytes, length: int | None = None) -> bytes:
    """``length``: what it says instead of the truth."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2 if length is None else length) + body


THUMBNAIL = encode(picture(160, 120, seed=9), "JPEG")
EXIF = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
"""Orientation 6."""
ODD = {
    "EXIF with a thumbnail": segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0" + THUMBNAIL),
    "EXIF of no byte order": segment(0xE1, b"Exif\0\0ZZ*\0" + b"\xff" * 30),
    "EXIF that points at itself": segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0"),
    "EXIF cut short": segment(0xE1, b"Exif\0\0II"),
    "XMP that is no XML": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x" + b"\xff" * 60_000),
    "no profile": segment(0xE2, b"ICC_PROFILE\0\1\1nothing"),
    "part of a profile": segment(0xE2, b"ICC_PROFILE\0\1\3nothing"),
    "parts of the same number": segment(0xE2, b"ICC_PROFILE\0\1\2a") + segment(0xE2, b"ICC_PROFILE\0\1\2b"),
    "an empty profile part": segment(0xE2, b"ICC_PROFILE\0"),
    "Photoshop resources": segment(0xED, b"Photoshop 3.0\0" + b"8BIM\3\xed\0\0\xff\xff\xff\xff"),
    "MPF of nothing": segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
    "Adobe cut short": segment(0xEE, b"Adobe"),
    "JFIF cut short": segment(0xE0, b"JFIF\0"),
    "an empty comment": segment(0xFE, b""),
    "forty comments": segment(0xFE, b"x" * 60_000) * 40,
    "length 0": segment(0xE5, b"", 0),
    "length 1": segment(0xE5, b"abcdef", 1),
    "length too short": segment(0xE1, b"Exif\0\0" + bytes(range(1, 200)), 40),
    "length too long": segment(0xE5, b"abcdef", 500),
    "length behind the end": segment(0xE5, b"abcdef", 65_535),
    "a thumbnail behind a length too short": segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0" + THUMBNAIL, 12),
    "a thumbnail behind a length too long": segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0" + THUMBNAIL, 9000),
    "junk between segments": b"\0\1\2junk",
    "fill bytes": b"\xff" * 50,
}


@pytest.mark.parametrize("kind", ["baseline", "progressive"])
@pytest.mark.parametrize("name", ODD)
def test_metadata_cost_nothing(name: str, kind: str) -> None:
    data = FILES[kind, "RGB"]
    tables = data.index(b"\xff\xdb")  # behind JFIF
    for place in (2, tables):
        odd = data[:place] + ODD[name] + data[place:]
        header = probe(odd, LIMITS)
        assert (header.width, header.height) == (WIDE, HIGH)
        assert np.array_equal(decode(odd, LIMITS), decode(data, LIMITS))


def test_orientation_outlives_what_is_wrong_behind_it() -> None:
    data = FILES["baseline", "RGB"]
    for odd in (ODD["junk between segments"], ODD["length 1"], ODD["length behind the end"]):
        turned = data[:2] + segment(0xE1, EXIF) + odd + data[2:]
        assert (probe(turned, LIMITS).orientation, probe(turned, LIMITS).width) == (6, HIGH)
        assert np.array_equal(decode(turned, LIMITS), np.rot90(decode(data, LIMITS), -1))


def changed(find: bytes, put: bytes) -> bytes:
    data = FILES["baseline", "RGB"]
    place = data.index(find)
    return data[:place] + put + data[place + len(put) :]


REFUSED = {
    "arithmetic-coded": changed(b"\xff\xc0", b"\xff\xc9"),
    "lossless": changed(b"\xff\xc0", b"\xff\xc3"),
    "hierarchical": changed(b"\xff\xc0", b"\xff\xc5"),
    "12 bits a sample": changed(b"\xff\xc0", b"\xff\xc0\0\x11\x0c"),
    "height stands behind": changed(b"\xff\xc0", b"\xff\xc0\0\x11\x08\0\0"),
    "without a scan": FILES["baseline", "RGB"][: FILES["baseline", "RGB"].index(b"\xff\xda")],
    "does not have": changed(b"\xff\xda\0\x0c\3\1", b"\xff\xda\0\x0c\3\x09"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_not_read_is_named(words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode(REFUSED[words], LIMITS)


def test_components_that_are_rgb_stay_so() -> None:
    image = picture(64, 48, seed=5)
    data = encode(image, "JPEG", keep_rgb=True, quality=95, subsampling=0)
    assert np.abs(decode(data, LIMITS).astype(int) - np.asarray(image)).mean() < 3


def test_opencv_reads_the_same_and_takes_what_has_no_rest() -> None:
    """OpenCV 4.10 (libjpeg-turbo 3.0.3) uses another DCT. It gives gray rows for the half that is not there."""
    data = FILES["baseline", "RGB"]
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(theirs.astype(int) - decode(data, LIMITS)).max() <= 6
    half = cv2.imdecode(np.frombuffer(data[: len(data) // 2] + END, np.uint8), cv2.IMREAD_COLOR)
    assert half is not None
    assert (half[-60:] == 128).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(form=st.sampled_from(list(FILES)), share=st.floats(0, 0.995), ending=st.integers(0, 6))
def test_no_cut_passes(form: tuple[str, str], share: float, ending: int) -> None:
    data = FILES[form]
    place = int(len(data) * share)
    endings_of = list(endings(data[:place], len(data) - place))
    with pytest.raises(DecodeError):
        decode(endings_of[ending], LIMITS)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(list(KINDS)), mode=st.sampled_from(["RGB", "L"]), quality=st.integers(1, 100),
    wide=st.integers(1, 90), high=st.integers(1, 90), seed=st.integers(0, 9),
)  # fmt: skip
def test_every_whole_one_passes(kind: str, mode: str, quality: int, wide: int, high: int, seed: int) -> None:
    data = encode(picture(wide, high, seed=seed).convert(mode), "JPEG", quality=quality, **KINDS[kind])
    assert np.array_equal(decode(data, LIMITS), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
